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
 * Google Secret Manager: `${gcp-sm:name}`, `${gcp-sm:project/name}`, `${gcp-sm:project/name/version}` or the
 * full `projects/…/secrets/…/versions/…`; `#field` after it picks from a secret that is JSON.
 *
 * The token is `GOOGLE_OAUTH_ACCESS_TOKEN` or `CLOUDSDK_AUTH_ACCESS_TOKEN` where set, else the metadata server's.
 * `CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER` and `GCE_METADATA_HOST` move the two services.
 * Source: https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access
 */
export function createGcpSecretManagerResolver(world: SecretWorld): SecretResolver {
  return {
    scheme: 'gcp-sm',
    async resolve(reference, signal) {
      const { name, field } = splitField(reference)
      const override = world.env.CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER
      const base = (override || 'https://secretmanager.googleapis.com').replace(/\/+$/, '')
      const path = toResource(name, world.env)
      const headers = { authorization: `Bearer ${await tokenOf(world, signal)}` }
      const reply = await requestJson(
        world,
        'Google Secret Manager',
        `${base}/v1/${path}:access`,
        { headers },
        signal,
      )
      const data = (reply as { payload?: { data?: unknown } } | null)?.payload?.data
      if (typeof data !== 'string' || data === '') {
        throw new SecretError('Google Secret Manager answered without a value')
      }
      const text = Buffer.from(data, 'base64').toString('utf8')
      return field === undefined ? text : pickField(parseJson(text), field, `the secret ${name}`)
    },
  }
}

function toResource(name: string, env: SecretWorld['env']): string {
  const full = /^projects\/([^/]+)\/secrets\/([^/]+)(?:\/versions\/([^/]+))?$/.exec(name)
  const parts = full === null ? name.split('/') : full.slice(1).filter((part) => part !== undefined)
  const [project, secret, version = 'latest', more] =
    parts.length === 1 ? [requireEnv(env, 'GOOGLE_CLOUD_PROJECT'), ...parts] : parts
  const segments = [project, secret, version]
  if (more !== undefined || !segments.every((part) => /^[A-Za-z0-9][\w.:-]*$/.test(part ?? ''))) {
    throw new SecretError(
      'a reference to Google Secret Manager is written project/name or project/name/version',
    )
  }
  return `projects/${project}/secrets/${secret}/versions/${version}`
}

/** Source: https://cloud.google.com/compute/docs/access/authenticate-workloads#applications */
async function tokenOf(world: SecretWorld, signal: AbortSignal): Promise<string> {
  const given = world.env.GOOGLE_OAUTH_ACCESS_TOKEN || world.env.CLOUDSDK_AUTH_ACCESS_TOKEN
  if (given) return given
  const host = world.env.GCE_METADATA_HOST || 'metadata.google.internal'
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`
  const request = { headers: { 'metadata-flavor': 'Google' } }
  const reply = await requestJson(world, "Google's metadata server", url, request, signal)
  const token = (reply as { access_token?: unknown } | null)?.access_token
  if (typeof token === 'string' && token !== '') return token
  throw new SecretError("Google's metadata server answered without a token")
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
