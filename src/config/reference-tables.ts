import type { SchemaNode } from './json-schema.ts'
import { choicesOf, expectedOf } from './schema-node.ts'

/** The schema as tables for people, one for each section. */

interface Row {
  readonly key: string
  readonly node: SchemaNode
  readonly required: boolean
}

/** @returns Markdown by the name of each section, in the schema's order */
export function referenceTables(root: SchemaNode): Map<string, string> {
  const sections = Object.entries(root.properties ?? {}).filter(([name]) => name !== '$schema')
  return new Map(sections.map(([name, node]) => [name, toTable(rowsOf(node, name))]))
}

/** @returns all sections as one page of Markdown */
export function referencePage(root: SchemaNode): string {
  const sections = [...referenceTables(root)].map(
    ([name, table]) => `## ${name}\n\n${root.properties?.[name]?.description ?? ''}\n\n${table}`,
  )
  return `# ${root.title}\n\n${sections.join('\n\n')}\n`
}

function toTable(rows: readonly Row[]): string {
  const lines = rows.map(({ key, node, required }) => {
    const cells = [
      `\`${key}\``,
      typeOf(node),
      required ? 'required' : defaultOf(node),
      node.description ?? '',
    ]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return ['| key | what | default | meaning |', '| --- | --- | --- | --- |', ...lines].join('\n')
}

/** One row for each key, those within maps and lists of maps included; every row is told by its whole path. */
function rowsOf(node: SchemaNode, prefix: string): Row[] {
  const same = sameForAll(node)
  if (same !== undefined) {
    const key = `${prefix}.<name>`
    return [{ key, node: same, required: false }, ...rowsOf(same, key)]
  }
  const own = Object.entries(node.properties ?? {}).flatMap(([name, property]) => {
    const key = `${prefix}.${name}`
    return [
      { key, node: property, required: node.required?.includes(name) ?? false },
      ...rowsOf(property, key),
    ]
  })
  const values = node.additionalProperties ? rowsOf(node.additionalProperties, `${prefix}.<name>`) : []
  const items = node.items === undefined ? [] : rowsOf(node.items, `${prefix}[]`)
  const alternatives = (node.anyOf ?? node.oneOf ?? []).flatMap((one) => {
    const kind = one.properties?.kind?.const
    return rowsOf(one, kind === undefined ? prefix : `${prefix}(${String(kind)})`)
  })
  return [...own, ...values, ...items, ...alternatives].filter(
    ({ node: { const: fixed } }) => fixed === undefined,
  )
}

/** The one schema of all properties, where many have the same: nine tasks are one row, not nine. */
function sameForAll(node: SchemaNode): SchemaNode | undefined {
  const [first, ...others] = Object.values(node.properties ?? {})
  const isSame = others.length >= 3 && others.every((one) => JSON.stringify(one) === JSON.stringify(first))
  return isSame ? first : undefined
}

function typeOf(node: SchemaNode): string {
  if (node.writeOnly === true && node.pattern !== undefined) return 'secret, by reference'
  if (node.writeOnly === true) return 'text, never shown'
  const choices = choicesOf(node)
  if (choices.length > 1 && choices.length === node.enum?.length) {
    return choices.map((choice) => `\`${choice}\``).join(', ')
  }
  return expectedOf(node).replace(/^(a|an|one of) /, '')
}

function defaultOf(node: SchemaNode): string {
  const value = node.default
  if (value === undefined) return ''
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0
  return isEmpty ? '' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}
