import type { Environment, EnvironmentReading } from './environment-reading.ts'
import type { Override } from './override.ts'
import type { Problem } from './problem.ts'
import { isMap, valueAt } from './tree.ts'

interface Row {
  readonly name: string
  readonly kind: string
  /** The first that is set counts. */
  readonly keys: readonly string[]
  readonly baseUrls: readonly string[]
  readonly apiVersions?: readonly string[]
  /** There is no public address to fall back to. */
  readonly needsBaseUrl?: boolean
}

/** Variables that the providers' own libraries read, so a machine that is set up for those needs nothing more. */
const ROWS: readonly Row[] = [
  { name: 'openai', kind: 'openai', keys: ['OPENAI_API_KEY'], baseUrls: ['OPENAI_BASE_URL'] },
  { name: 'anthropic', kind: 'anthropic', keys: ['ANTHROPIC_API_KEY'], baseUrls: ['ANTHROPIC_BASE_URL'] },
  {
    name: 'google',
    kind: 'google',
    keys: ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
    baseUrls: ['GOOGLE_GEMINI_BASE_URL'],
  },
  {
    name: 'azure',
    kind: 'azure-openai',
    keys: ['AZURE_OPENAI_API_KEY'],
    baseUrls: ['AZURE_OPENAI_ENDPOINT', 'AZURE_OPENAI_BASE_URL'],
    apiVersions: ['OPENAI_API_VERSION', 'AZURE_OPENAI_API_VERSION'],
    needsBaseUrl: true,
  },
]

/** @returns one provider for each row that the environment sets and the file does not name */
export function environmentProviders(
  env: Environment,
  fileTree: unknown,
  knownKinds: readonly string[],
): EnvironmentReading {
  const inFile = valueAt(fileTree, ['providers'])
  const overrides: Override[] = []
  const warnings: Problem[] = []
  for (const row of ROWS) {
    if (isMap(inFile) && Object.hasOwn(inFile, row.name)) continue
    const key = firstSet(env, row.keys)
    const baseUrl = firstSet(env, row.baseUrls)
    const first = key ?? baseUrl
    if (first === undefined) continue
    const doubt = doubtAbout(row, { key, baseUrl }, env, fileTree, knownKinds)
    if (doubt !== undefined) {
      warnings.push({ path: '', from: `environment ${first.variable}`, message: doubt })
      continue
    }
    const give = (field: string, value: string, variable: string) =>
      overrides.push({ path: ['providers', row.name, field], value, from: `environment ${variable}` })
    give('kind', row.kind, first.variable)
    if (key !== undefined) give('apiKey', key.value, key.variable)
    if (baseUrl !== undefined) give('baseUrl', baseUrl.value, baseUrl.variable)
    const apiVersion = firstSet(env, row.apiVersions ?? [])
    if (apiVersion !== undefined) give('apiVersion', apiVersion.value, apiVersion.variable)
  }
  return { overrides, warnings }
}

interface Setting {
  readonly variable: string
  readonly value: string
}

function firstSet(env: Environment, variables: readonly string[]): Setting | undefined {
  for (const variable of variables) {
    const value = env[variable]
    if (value) return { variable, value }
  }
  return undefined
}

/** Why a provider that the environment names is left out, as the end of a sentence; `undefined` = it is taken. */
function doubtAbout(
  row: Row,
  { key, baseUrl }: { key: Setting | undefined; baseUrl: Setting | undefined },
  env: Environment,
  fileTree: unknown,
  knownKinds: readonly string[],
): string | undefined {
  if (!knownKinds.includes(row.kind)) return `is ignored: there is no provider of the kind \`${row.kind}\``
  if (row.needsBaseUrl === true && baseUrl === undefined) {
    return `is ignored: \`${row.name}\` needs ${row.baseUrls.join(' or ')} as well`
  }
  if (baseUrl !== undefined && isOurselves(baseUrl.value, env, fileTree)) {
    return `no provider \`${row.name}\` is made: ${baseUrl.variable} is the address of this gateway, as clients have it`
  }
  return key?.value.startsWith('gh-') === true
    ? `no provider \`${row.name}\` is made: ${key.variable} holds a key of this gateway, as clients have it`
    : undefined
}

/** A shell that is set up for a client of ours has our address as the provider's: calls would go in a circle. */
function isOurselves(baseUrl: string, env: Environment, fileTree: unknown): boolean {
  if (!URL.canParse(baseUrl)) return false
  const url = new URL(baseUrl)
  const port = env.GATEHOUSE_PORT || String(valueAt(fileTree, ['server', 'port']) ?? 4000)
  const host = env.GATEHOUSE_HOST || String(valueAt(fileTree, ['server', 'host']) ?? '127.0.0.1')
  const ours = ['127.0.0.1', 'localhost', '[::1]', '0.0.0.0', host]
  return ours.includes(url.hostname) && (url.port || (url.protocol === 'https:' ? '443' : '80')) === port
}
