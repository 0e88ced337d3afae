/** One token that may hide a semicolon: comments, quoted names, strings, dollar-quoted bodies. */
const TOKEN = /--[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"]|"")*"|'(?:[^']|'')*'|\$([A-Za-z_]*)\$[\s\S]*?\$\1\$|;/g

/** @returns the statements of a script, without the comments before them and without semicolons */
export function splitStatements(script: string): string[] {
  const statements: string[] = []
  let start = 0
  for (const match of script.matchAll(TOKEN)) {
    if (match[0] !== ';') continue
    statements.push(script.slice(start, match.index))
    start = match.index + 1
  }
  statements.push(script.slice(start))
  return statements.map(withoutLeadingComments).filter((statement) => statement !== '')
}

function withoutLeadingComments(statement: string): string {
  return statement.replace(/^(\s|--[^\n]*(\n|$)|\/\*[\s\S]*?\*\/)+/, '').trimEnd()
}
