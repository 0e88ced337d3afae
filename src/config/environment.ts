import { environmentProviders } from './environment-providers.ts'
import type { Environment, EnvironmentReading } from './environment-reading.ts'
import type { Override } from './override.ts'
import type { Path, Problem } from './problem.ts'
import { nearest } from './suggest.ts'

type Kind = 'text' | 'number' | 'switch'

/** Variables that set one key each. The schema judges the values; here they only get their type. */
const VARIABLES: readonly { name: string; path: Path; kind: Kind }[] = [
  { name: 'GATEHOUSE_HOST', path: ['server', 'host'], kind: 'text' },
  { name: 'GATEHOUSE_PORT', path: ['server', 'port'], kind: 'number' },
  { name: 'GATEHOUSE_DATA_DIR', path: ['storage', 'dataDir'], kind: 'text' },
  { name: 'GATEHOUSE_MASTER_KEY', path: ['storage', 'masterKey'], kind: 'text' },
  { name: 'DATABASE_URL', path: ['storage', 'database'], kind: 'text' },
  { name: 'REDIS_URL', path: ['storage', 'redis'], kind: 'text' },
  { name: 'LLM_ENABLED', path: ['server', 'enabled'], kind: 'switch' },
  { name: 'LLM_ERROR_RATE_THRESHOLD', path: ['alerts', 'thresholds', 'errorRate'], kind: 'number' },
  { name: 'LLM_SUCCESS_RATE_THRESHOLD', path: ['alerts', 'thresholds', 'successRate'], kind: 'number' },
  { name: 'LLM_LATENCY_THRESHOLD', path: ['alerts', 'thresholds', 'latencyMs'], kind: 'number' },
  { name: 'LLM_HOURLY_COST_THRESHOLD', path: ['alerts', 'thresholds', 'hourlyCostUsd'], kind: 'number' },
  { name: 'LLM_DAILY_COST_THRESHOLD', path: ['alerts', 'thresholds', 'dailyCostUsd'], kind: 'number' },
]
const OTHER_NAMES = ['GATEHOUSE_CONFIG', 'GATEHOUSE_ADMIN_KEY', 'GATEHOUSE_AZURE_KEY_VAULT_URL']

/**
 * @param fileTree what the file says: a provider it names is not touched
 * @param knownKinds kinds of provider that can be served
 * @returns what the environment adds and overrides. A variable that is set but empty counts as unset (Compose
 *   files pass such ones on), but for the admin key, where empty may mean a secret that was not filled in
 */
export function readEnvironment(
  env: Environment,
  fileTree: unknown,
  knownKinds: readonly string[],
): EnvironmentReading {
  const overrides: Override[] = VARIABLES.flatMap(({ name, path, kind }) => {
    const text = env[name]
    return text ? [{ path, value: toValue(text, kind), from: `environment ${name}` }] : []
  })
  const adminKey = env.GATEHOUSE_ADMIN_KEY
  if (adminKey !== undefined) {
    overrides.push({ path: ['server', 'adminKey'], value: adminKey, from: 'environment GATEHOUSE_ADMIN_KEY' })
  }
  const providers = environmentProviders(env, fileTree, knownKinds)
  return {
    overrides: [...overrides, ...providers.overrides],
    warnings: [...mistypedNames(env), ...providers.warnings],
  }
}

/** What is no number or switch stays a text, so that the schema refuses it and says what belongs there. */
function toValue(text: string, kind: Kind): unknown {
  const plain = text.trim().toLowerCase()
  if (kind === 'number') return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : text
  if (kind === 'switch') {
    if (['true', '1', 'yes', 'on'].includes(plain)) return true
    if (['false', '0', 'no', 'off'].includes(plain)) return false
  }
  return text
}

/** Other programs may have variables with our prefix; only a near miss is worth a word. */
function mistypedNames(env: Environment): Problem[] {
  const known = [...VARIABLES.map(({ name }) => name), ...OTHER_NAMES]
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith('GATEHOUSE_') || known.includes(name)) return []
    const meant = nearest(
      name.slice('GATEHOUSE_'.length),
      known.filter((one) => one.startsWith('GATEHOUSE_')).map((one) => one.slice('GATEHOUSE_'.length)),
    )
    if (meant === undefined) return []
    return [
      { path: '', from: `environment ${name}`, message: `is not read. Did you mean \`GATEHOUSE_${meant}\`?` },
    ]
  })
}
