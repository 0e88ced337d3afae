import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ERRORS, type ErrorSpec } from '../src/core/errors.ts'
import { VERSION } from '../src/version.ts'

const ROOT = new URL('..', import.meta.url)

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

describe('docs/errors.md', () => {
  const [table = ''] = read('docs/errors.md').split('\n## ', 1)
  const rows = table.split('\n').filter((line) => line.startsWith('| `'))

  /** A row of the table, as it has to stand in the page. */
  function rowOf([code, spec]: [string, ErrorSpec]): string {
    return `| \`${code}\` | ${spec.status} | \`${spec.type}\` | ${spec.retryable ? 'yes' : 'no'} | ${spec.meaning} |`
  }

  it('has one row for each code, with its status and meaning, and no other', () => {
    const expected = Object.entries<ErrorSpec>(ERRORS)
      .sort(([, first], [, second]) => first.status - second.status)
      .map(rowOf)
    expect(rows).toEqual(expected)
  })
})

describe('docs/architecture.md', () => {
  const page = read('docs/architecture.md')
  const named = [...page.matchAll(/^\| `(src\/[a-z]+)` \|/gm)].map(([, folder = '']) => folder)

  it('names every folder of src in its table', () => {
    const folders = readdirSync(new URL('src', ROOT), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `src/${name}`)
    expect([...named].sort()).toEqual(folders.sort())
  })

  it('leads to files and folders that exist', () => {
    const paths = [
      ...page.matchAll(/`((?:src|docs|test|bench|scripts|dashboard|deploy)(?:\/[a-z][a-z0-9./-]*)?)`/g),
    ]
    expect(paths.length).toBeGreaterThan(0)
    expect(paths.map(([, path = '']) => path).filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([])
  })
})

describe('VERSION', () => {
  it('is that of package.json', () => {
    expect(VERSION).toBe((JSON.parse(read('package.json')) as { version: string }).version)
  })

  it('has a chapter in CHANGELOG.md', () => {
    expect(read('CHANGELOG.md')).toMatch(new RegExp(`^## ${VERSION.replaceAll('.', '\\.')}(?: |$)`, 'm'))
  })
})
