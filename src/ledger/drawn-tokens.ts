/**
 * Tokens of one picture that gpt-image-1 makes, by quality and by whether it is a square
 * (https://developers.openai.com/api/docs/guides/image-generation, read in copies on 2026-11-21; times $40 a million
 * they are the prices per picture of that model: $0.011 to $0.25).
 */
const BY_QUALITY = {
  low: { square: 272, other: 408, axis: 16 },
  medium: { square: 1056, other: 1584, axis: 48 },
  high: { square: 4160, other: 6240, axis: 96 },
} as const

/** As large as gpt-image-2 makes them: 8,294,400 pixels, no side above 3,840. */
const SIDE_MAX = 3840
const PIXELS_MAX = 8_294_400

/**
 * @param quality as the caller asked for it; what is not known counts as the highest
 * @param size `1024x1536`; what is not known counts as the largest of gpt-image-1
 * @returns an upper estimate of the tokens of one picture, for replies that say nothing of tokens: the larger of what
 *   gpt-image-1 and gpt-image-2 need. The formula of gpt-image-2 was found in OpenAI's own calculator
 *   (https://community.openai.com/t/gpt-image-2-output-pricing-calculator-online-and-in-your-code/1382699)
 */
export function drawnTokens(quality: string | undefined, size: string | undefined): number {
  const { square, other, axis } = BY_QUALITY[quality === 'low' || quality === 'medium' ? quality : 'high']
  const [, first, second] = /^(\d{1,4})x(\d{1,4})$/.exec(size ?? '') ?? []
  if (first === undefined || second === undefined) return other
  const long = Math.min(Math.max(Number(first), Number(second)), SIDE_MAX)
  const short = Math.min(Math.min(Number(first), Number(second)), long)
  if (short === 0) return other
  const pixels = Math.min(long * short, PIXELS_MAX)
  const across = Math.floor((2 * axis * short + long) / (2 * long))
  const formula = Math.ceil((axis * across * (2_000_000 + pixels)) / 4_000_000)
  return Math.max(long === short ? square : other, formula)
}
