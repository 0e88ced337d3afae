/**
 * What the fonts that every PDF reader brings along can show beside Latin-1: the Windows code page 1252
 * (PDF 32000-1:2008, annex D.2).
 */
const EXTRA = new Set('€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ')
/** Letters that no normal form takes apart. */
const PLAIN: Readonly<Record<string, string>> = {
  Ł: 'L',
  ł: 'l',
  Đ: 'D',
  đ: 'd',
  Ħ: 'H',
  ħ: 'h',
  ı: 'i',
  Ŋ: 'N',
  ŋ: 'n',
  '≈': '~',
  '−': '-',
}
const COMBINING = /\p{M}/gu

/**
 * @returns the text as the built-in fonts can show it: letters with marks they lack lose their marks, other scripts
 *   become question marks. JSON and CSV have the text as it is
 */
export function toPrintable(text: string): string {
  let printable = ''
  for (const character of text.replace(/\s+/g, ' ')) {
    printable += isPrintable(character) ? character : (PLAIN[character] ?? withoutMarks(character))
  }
  return printable
}

function withoutMarks(character: string): string {
  const plain = character.normalize('NFKD').replace(COMBINING, '')
  if (plain === '') return ''
  return [...plain].every(isPrintable) ? plain : '?'
}

function isPrintable(character: string): boolean {
  const code = character.codePointAt(0) ?? 0
  return (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code <= 0xff) || EXTRA.has(character)
}
