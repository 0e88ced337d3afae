import { requestJson, type SecretRequest } from './request-json.ts'
import { requireEnv, SecretError, type SecretResolver, type SecretWorld } from './resolver.ts'

const RESOURCE = 'https://vault.azure.net'
const API_VERSION = '7.4'

/**
 * Azure Key Vault: `${azure-kv:vault/name}` or `${azure-kv:vault/name/version}`.
 *
 * Signs in by the variables that Azure's own libraries read, in this order: a client secret, a federated token
 * (workload identity on Kubernetes), the identity endpoint of App Service, the instance metadata service.
 * `GATEHOUSE_AZURE_KEY_VAULT_URL` takes the place of `https://<vault>.vault.azure.net` (sovereign clouds, tests).
 * Source: https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret
 */
export function createAzureKeyVaultResolver(world: SecretWorld): SecretResolver {
  return {
    scheme: 'azure-kv',
    async resolve(reference, signal) {
      const [vault, name, version, more] = reference.split('/')
      if (
        !isName(vault) ||
        !isName(name) ||
        (version !== undefined && !isName(version)) ||
        more !== undefined
      ) {
        throw new SecretError('a reference to Azure Key Vault is written vault/name or vault/name/version')
      }
      const base = (world.env.GATEHOUSE_AZURE_KEY_VAULT_URL || `https://${vault}.vault.azure.net`).replace(
        /\/+$/,
        '',
      )
      const headers = { authorization: `Bearer ${await signIn(world, signal)}` }
      const path = version === undefined ? name : `${name}/${version}`
      const url = `${base}/secrets/${path}?api-version=${API_VERSION}`
      const reply = await requestJson(world, 'Azure Key Vault', url, { headers }, signal)
      const value = (reply as { value?: unknown } | null)?.value
      if (typeof value === 'string' && value !== '') return value
      throw new SecretError('Azure Key Vault answered without a value')
    },
  }
}

/** Letters, digits and dashes are all that Azure allows in these names. */
function isName(text: string | undefined): text is string {
  return text !== undefined && /^[A-Za-z0-9-]{1,127}$/.test(text)
}

async function signIn(world: SecretWorld, signal: AbortSignal): Promise<string> {
  const { url, request } = await tokenRequest(world)
  const reply = await requestJson(world, "Azure's sign-in", url, request, signal)
  const token = (reply as { access_token?: unknown } | null)?.access_token
  if (typeof token === 'string' && token !== '') return token
  throw new SecretError("Azure's sign-in answered without a token")
}

interface TokenRequest {
  readonly url: string
  readonly request: SecretRequest
}

async function tokenRequest({ env, readFile }: SecretWorld): Promise<TokenRequest> {
  const file = env.AZURE_FEDERATED_TOKEN_FILE
  if (env.AZURE_CLIENT_SECRET) return clientRequest(env, { client_secret: env.AZURE_CLIENT_SECRET })
  if (file) {
    const assertion = (await readFile(file).catch(() => '')).trim()
    if (assertion === '')
      throw new SecretError(`${file} (AZURE_FEDERATED_TOKEN_FILE) cannot be read or is empty`)
    return clientRequest(env, {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    })
  }
  return identityRequest(env)
}

/** Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow */
function clientRequest(env: SecretWorld['env'], proof: Record<string, string>): TokenRequest {
  const authority = (env.AZURE_AUTHORITY_HOST || 'https://login.microsoftonline.com').replace(/\/+$/, '')
  const tenant = encodeURIComponent(requireEnv(env, 'AZURE_TENANT_ID'))
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: requireEnv(env, 'AZURE_CLIENT_ID'),
    scope: `${RESOURCE}/.default`,
    ...proof,
  })
  return {
    url: `${authority}/${tenant}/oauth2/v2.0/token`,
    request: {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: body.toString(),
    },
  }
}

/** Source: https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference */
function identityRequest(env: SecretWorld['env']): TokenRequest {
  const endpoint = env.IDENTITY_ENDPOINT
  const query = new URLSearchParams({ resource: RESOURCE })
  if (env.AZURE_CLIENT_ID) query.set('client_id', env.AZURE_CLIENT_ID)
  if (endpoint) {
    query.set('api-version', '2019-08-01')
    return {
      url: `${endpoint}?${query}`,
      request: { headers: { 'x-identity-header': requireEnv(env, 'IDENTITY_HEADER') } },
    }
  }
  query.set('api-version', '2018-02-01')
  const host = (env.AZURE_POD_IDENTITY_AUTHORITY_HOST || 'http://169.254.169.254').replace(/\/+$/, '')
  return {
    url: `${host}/metadata/identity/oauth2/token?${query}`,
    request: { headers: { metadata: 'true' } },
  }
}
