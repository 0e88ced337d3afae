// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written like this.
import type { SchemaNode } from './json-schema.ts'
import type { Finding, Path } from './problem.ts'
import { referencesIn } from './references.ts'
import { schemaAt } from './schema-node.ts'
import { mapTexts } from './tree.ts'

export interface LiteralSecrets {
  readonly all: readonly Path[]
  readonly refused: readonly Finding[]
  readonly doubted: readonly Finding[]
}

/**
 * Secrets that stand in the file itself, where backups and repositories would keep them.
 *
 * @param tree the file as written, before references are resolved
 * @returns `all`: where any stand; `refused`: keys that take a reference only; `doubted`: a password inside a URL
 */
export function findLiteralSecrets(tree: unknown, root: SchemaNode): LiteralSecrets {
  const all: Path[] = []
  const refused: Finding[] = []
  const doubted: Finding[] = []
  mapTexts(tree, (text, path) => {
    const node = schemaAt(root, path, tree)
    if (node?.writeOnly !== true || referencesIn(text).length > 0) return text
    if (node.default !== text) all.push(path)
    if (node.pattern !== undefined) {
      const message =
        'a secret does not belong in this file; refer to it, for example by ${env:NAME} or ${file:PATH}'
      refused.push({ path, part: 'value', message })
    } else if (URL.canParse(text) && new URL(text).password !== '') {
      const message = 'holds a password; refer to it, for example by ${env:NAME} inside the URL'
      doubted.push({ path, part: 'value', message })
    }
    return text
  })
  return { all, refused, doubted }
}
