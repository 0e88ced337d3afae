import { requestJson } from './request-json.ts'
import {
  pickField,
  requireEnv,
  SecretError,
  type SecretResolver,
  type SecretWorld,
  splitField,
} from './resolver.ts'

/**
 * HashiCorp Vault and OpenBao, key-value engine version 2: `${vault:mount/path#field}`.
 *
 * `VAULT_ADDR`, `VAULT_TOKEN` or `VAULT_TOKEN_FILE` (what the agent's sink writes), `VAULT_NAMESPACE`.
 * Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version
 */
export function createVaultResolver(world: SecretWorld): SecretResolver {
  return {
    scheme: 'vault',
    async resolve(reference, signal) {
      const { name, field } = splitField(reference)
      const address = requireEnv(world.env, 'VAULT_ADDR').replace(/\/+$/, '')
      const headers: Record<string, string> = {
        'x-vault-token': await tokenOf(world),
        'x-vault-request': 'true',
      }
      const namespace = world.env.VAULT_NAMESPACE
      if (namespace !== undefined && namespace !== '') headers['x-vault-namespace'] = namespace
      const reply = await requestJson(world, 'Vault', `${address}/v1/${toApiPath(name)}`, { headers }, signal)
      const data = (reply as { data?: { data?: unknown } } | null)?.data?.data
      return pickField(data, field, `the secret ${name}`)
    },
  }
}

/** The API has `data` after the mount; the command line leaves it out, so both ways are understood. */
function toApiPath(name: string): string {
  const segments = name.split('/').filter((segment) => segment !== '')
  if (segments.length < 2 || segments.some((segment) => segment === '.' || segment === '..')) {
    throw new SecretError('a reference to Vault is written mount/path#field')
  }
  if (segments[1] !== 'data' || segments.length === 2) segments.splice(1, 0, 'data')
  return segments.map(encodeURIComponent).join('/')
}

async function tokenOf({ env, readFile }: SecretWorld): Promise<string> {
  const file = env.VAULT_TOKEN_FILE
  if (env.VAULT_TOKEN || !file) return requireEnv(env, 'VAULT_TOKEN')
  const text = await readFile(file).catch(() => '')
  if (text.trim() === '') throw new SecretError(`${file} (VAULT_TOKEN_FILE) cannot be read or is empty`)
  return text.trim()
}
