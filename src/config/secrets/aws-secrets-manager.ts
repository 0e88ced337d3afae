import { type AwsCredentials, signAwsRequest } from './aws-signature.ts'
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
 * AWS Secrets Manager: `${aws-sm:name-or-arn}`; `#field` after it picks from a secret that is JSON.
 *
 * Credentials: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, else the container's (ECS, EKS Pod
 * Identity). The region is that of the ARN, else `AWS_REGION` or `AWS_DEFAULT_REGION`.
 * `AWS_ENDPOINT_URL_SECRETS_MANAGER` or `AWS_ENDPOINT_URL` moves the service.
 * Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 */
export function createAwsSecretsManagerResolver(world: SecretWorld): SecretResolver {
  return {
    scheme: 'aws-sm',
    async resolve(reference, signal) {
      const { name, field } = splitField(reference)
      const region = regionOf(name, world.env)
      const override = world.env.AWS_ENDPOINT_URL_SECRETS_MANAGER || world.env.AWS_ENDPOINT_URL
      const url = new URL(override || `https://secretsmanager.${region}.amazonaws.com/`)
      const body = JSON.stringify({ SecretId: name })
      const headers = signAwsRequest(
        {
          method: 'POST',
          url,
          headers: {
            'content-type': 'application/x-amz-json-1.1',
            'x-amz-target': 'secretsmanager.GetSecretValue',
          },
          body,
          region,
          service: 'secretsmanager',
        },
        await credentialsOf(world, signal),
        world.now(),
      )
      const request = { method: 'POST' as const, headers, body }
      const reply = await requestJson(world, 'AWS Secrets Manager', url.href, request, signal)
      const text = (reply as { SecretString?: unknown } | null)?.SecretString
      if (typeof text !== 'string' || text === '') throw new SecretError(`the secret ${name} holds no text`)
      return field === undefined ? text : pickField(parseJson(text), field, `the secret ${name}`)
    },
  }
}

function regionOf(name: string, env: SecretWorld['env']): string {
  const region =
    /^arn:[^:]+:secretsmanager:([^:]+):/.exec(name)?.[1] || env.AWS_REGION || env.AWS_DEFAULT_REGION
  if (region === undefined || region === '')
    throw new SecretError('the environment variable AWS_REGION is not set')
  if (!/^[a-z0-9-]+$/.test(region)) throw new SecretError('the AWS region is no name of a region')
  return region
}

async function credentialsOf(world: SecretWorld, signal: AbortSignal): Promise<AwsCredentials> {
  const { env } = world
  const accessKeyId = env.AWS_ACCESS_KEY_ID
  if (accessKeyId) {
    const sessionToken = env.AWS_SESSION_TOKEN || undefined
    return { accessKeyId, secretAccessKey: requireEnv(env, 'AWS_SECRET_ACCESS_KEY'), sessionToken }
  }
  return await containerCredentials(world, signal)
}

/** Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html */
async function containerCredentials(world: SecretWorld, signal: AbortSignal): Promise<AwsCredentials> {
  const { env, readFile } = world
  const relative = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
  const url = relative ? `http://169.254.170.2${relative}` : env.AWS_CONTAINER_CREDENTIALS_FULL_URI
  if (!url) throw new SecretError('no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
  const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
  const token = file ? (await readFile(file).catch(() => '')).trim() : env.AWS_CONTAINER_AUTHORIZATION_TOKEN
  const headers: Record<string, string> = token ? { authorization: token } : {}
  const reply = await requestJson(world, "AWS's container credentials", url, { headers }, signal)
  const { AccessKeyId, SecretAccessKey, Token } = reply as Record<string, unknown>
  if (typeof AccessKeyId !== 'string' || typeof SecretAccessKey !== 'string') {
    throw new SecretError("AWS's container credentials answered without a key")
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: typeof Token === 'string' ? Token : undefined,
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
