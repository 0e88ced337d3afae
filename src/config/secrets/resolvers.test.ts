import { afterEach, describe, expect, it } from 'vitest'
import { NOW_MS, type StoreServer, secretWorld, startStore } from '../fixtures/store-server.ts'
import { createAwsSecretsManagerResolver } from './aws-secrets-manager.ts'
import { signAwsRequest } from './aws-signature.ts'
import { createAzureKeyVaultResolver } from './azure-key-vault.ts'
import { createGcpSecretManagerResolver } from './gcp-secret-manager.ts'
import { createVaultResolver } from './vault.ts'

const signal = new AbortController().signal
let open: StoreServer[] = []

async function store(answer: Parameters<typeof startStore>[0]): Promise<StoreServer> {
  const server = await startStore(answer)
  open.push(server)
  return server
}

afterEach(async () => {
  await Promise.all(open.map((server) => server.close()))
  open = []
})

describe('createVaultResolver', () => {
  const answer = { body: { data: { data: { openai: 'sk-1', port: 5 }, metadata: { version: 2 } } } }

  it.each(['secret/gatehouse/keys#openai', 'secret/data/gatehouse/keys#openai'])(
    'createVaultResolver() asks key-value version 2 with the token (%s)',
    async (reference) => {
      const vault = await store(() => answer)
      const env = { VAULT_ADDR: `${vault.url}/`, VAULT_TOKEN: 'hvs.t', VAULT_NAMESPACE: 'team' }
      expect(await createVaultResolver(secretWorld(env)).resolve(reference, signal)).toBe('sk-1')
      expect(vault.seen).toHaveLength(1)
      expect(vault.seen[0]).toMatchObject({
        method: 'GET',
        url: '/v1/secret/data/gatehouse/keys',
        headers: { 'x-vault-token': 'hvs.t', 'x-vault-namespace': 'team', 'x-vault-request': 'true' },
      })
    },
  )

  it('createVaultResolver() reads the token that the agent wrote', async () => {
    const vault = await store(() => answer)
    const env = { VAULT_ADDR: vault.url, VAULT_TOKEN_FILE: '/run/token' }
    await createVaultResolver(secretWorld(env, { '/run/token': 'hvs.file\n' })).resolve('a/b#openai', signal)
    expect(vault.seen[0]?.headers['x-vault-token']).toBe('hvs.file')
  })

  it.each([
    ['secret/app', { a: '1', b: '2' }, 'the secret secret/app has several fields; add #name, one of: a, b'],
    ['secret/app#c', { a: '1' }, 'the secret secret/app has no text in `c`; it has: a'],
    ['secret/app#constructor', { a: '1' }, 'the secret secret/app has no text in `constructor`; it has: a'],
    ['secret', { a: '1' }, 'a reference to Vault is written mount/path#field'],
    ['secret/../sys/seal', { a: '1' }, 'a reference to Vault is written mount/path#field'],
  ])('createVaultResolver() explains what is wrong with %s', async (reference, data, message) => {
    const vault = await store(() => ({ body: { data: { data } } }))
    const resolver = createVaultResolver(secretWorld({ VAULT_ADDR: vault.url, VAULT_TOKEN: 't' }))
    await expect(resolver.resolve(reference, signal)).rejects.toThrow(message)
  })

  it('createVaultResolver() takes the only field, or the one called value', async () => {
    const bodies = [{ only: 'x' }, { value: 'y', other: 'z' }]
    const vault = await store(() => ({ body: { data: { data: bodies.shift() } } }))
    const resolver = createVaultResolver(secretWorld({ VAULT_ADDR: vault.url, VAULT_TOKEN: 't' }))
    expect([await resolver.resolve('a/b', signal), await resolver.resolve('a/b', signal)]).toEqual(['x', 'y'])
  })
})

describe('requestJson', () => {
  it.each([
    [403, { errors: ['permission denied'] }, 'Vault answered 403: the credentials may not read this secret'],
    [404, { errors: [] }, 'Vault answered 404: there is no such secret'],
    [503, { status: 'sealed' }, 'Vault answered 503 sealed'],
    [200, 'no json', 'Vault answered something that is no JSON'],
    [200, 'x'.repeat(2_000_000), 'did not answer (RangeError)'],
  ])('requestJson() says what a store answered (%i)', async (status, body, message) => {
    const vault = await store(() => ({ status, body }))
    const resolver = createVaultResolver(secretWorld({ VAULT_ADDR: vault.url, VAULT_TOKEN: 'hvs.hidden' }))
    const error = await resolver.resolve('a/b', signal).catch((reason: unknown) => reason)
    expect(String(error)).toContain(message)
    expect(String(error)).not.toContain('hidden')
  })

  it('requestJson() does not carry the token along a redirect', async () => {
    const elsewhere = await store(() => ({ body: { data: { data: { a: 'b' } } } }))
    const vault = await store(() => ({ status: 307, body: '', headers: { location: `${elsewhere.url}/` } }))
    const resolver = createVaultResolver(secretWorld({ VAULT_ADDR: vault.url, VAULT_TOKEN: 't' }))
    await expect(resolver.resolve('a/b', signal)).rejects.toThrow('did not answer')
    expect(elsewhere.seen).toEqual([])
  })

  it('requestJson() says that a store is away, and stops when told', async () => {
    const vault = await store(() => ({ body: {} }))
    await vault.close()
    const resolver = createVaultResolver(secretWorld({ VAULT_ADDR: vault.url, VAULT_TOKEN: 't' }))
    await expect(resolver.resolve('a/b', signal)).rejects.toThrow(
      `Vault at ${vault.host} did not answer (ECONNREFUSED)`,
    )
    await expect(resolver.resolve('a/b', AbortSignal.abort())).rejects.toThrow('did not answer (AbortError)')
  })

  it('requestJson() is not reached without an address', async () => {
    await expect(createVaultResolver(secretWorld({})).resolve('a/b', signal)).rejects.toThrow(
      'VAULT_ADDR is not set',
    )
  })
})

describe('createAzureKeyVaultResolver', () => {
  const answer = ({ url }: { url: string }) =>
    url.startsWith('/secrets/') ? { body: { value: 'kv-1', id: 'x' } } : { body: { access_token: 'token-1' } }

  it('createAzureKeyVaultResolver() signs in with a client secret', async () => {
    const azure = await store(answer)
    const resolver = createAzureKeyVaultResolver(
      secretWorld({
        GATEHOUSE_AZURE_KEY_VAULT_URL: azure.url,
        AZURE_AUTHORITY_HOST: `${azure.url}/`,
        AZURE_TENANT_ID: 'tenant',
        AZURE_CLIENT_ID: 'client',
        AZURE_CLIENT_SECRET: 's&=cret',
      }),
    )
    expect(await resolver.resolve('my-vault/openai', signal)).toBe('kv-1')
    const [signIn, read] = azure.seen
    expect(signIn).toMatchObject({ method: 'POST', url: '/tenant/oauth2/v2.0/token' })
    expect(Object.fromEntries(new URLSearchParams(signIn?.body))).toEqual({
      grant_type: 'client_credentials',
      client_id: 'client',
      client_secret: 's&=cret',
      scope: 'https://vault.azure.net/.default',
    })
    expect(read).toMatchObject({ method: 'GET', url: '/secrets/openai?api-version=7.4' })
    expect(read?.headers.authorization).toBe('Bearer token-1')
  })

  it('createAzureKeyVaultResolver() signs in with the federated token of a pod', async () => {
    const azure = await store(answer)
    const env = {
      GATEHOUSE_AZURE_KEY_VAULT_URL: azure.url,
      AZURE_AUTHORITY_HOST: azure.url,
      AZURE_TENANT_ID: 'tenant',
      AZURE_CLIENT_ID: 'client',
      AZURE_FEDERATED_TOKEN_FILE: '/run/token',
    }
    await createAzureKeyVaultResolver(secretWorld(env, { '/run/token': 'jwt\n' })).resolve('v/n/0a1b', signal)
    expect(Object.fromEntries(new URLSearchParams(azure.seen[0]?.body))).toMatchObject({
      client_assertion: 'jwt',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })
    expect(azure.seen[1]?.url).toBe('/secrets/n/0a1b?api-version=7.4')
  })

  it('createAzureKeyVaultResolver() asks the identity endpoint of App Service', async () => {
    const azure = await store(answer)
    const env = {
      GATEHOUSE_AZURE_KEY_VAULT_URL: azure.url,
      IDENTITY_ENDPOINT: `${azure.url}/msi/token`,
      IDENTITY_HEADER: 'proof',
    }
    await createAzureKeyVaultResolver(secretWorld(env)).resolve('v/n', signal)
    expect(azure.seen[0]?.url).toBe(
      '/msi/token?resource=https%3A%2F%2Fvault.azure.net&api-version=2019-08-01',
    )
    expect(azure.seen[0]?.headers['x-identity-header']).toBe('proof')
  })

  it('createAzureKeyVaultResolver() asks the instance metadata service last', async () => {
    const azure = await store(answer)
    const env = {
      GATEHOUSE_AZURE_KEY_VAULT_URL: azure.url,
      AZURE_POD_IDENTITY_AUTHORITY_HOST: azure.url,
      AZURE_CLIENT_ID: 'mine',
    }
    await createAzureKeyVaultResolver(secretWorld(env)).resolve('v/n', signal)
    expect(azure.seen[0]?.url).toBe(
      '/metadata/identity/oauth2/token?resource=https%3A%2F%2Fvault.azure.net&client_id=mine&api-version=2018-02-01',
    )
    expect(azure.seen[0]?.headers.metadata).toBe('true')
  })

  it.each(['name', 'v/n/1/2', 'evil.example/x', 'v/../x', 'v/n?x'])(
    'createAzureKeyVaultResolver() refuses %s before it signs in',
    async (reference) => {
      const resolver = createAzureKeyVaultResolver(secretWorld({}))
      await expect(resolver.resolve(reference, signal)).rejects.toThrow('is written vault/name')
    },
  )
})

describe('createGcpSecretManagerResolver', () => {
  const answer = ({ url }: { url: string }) =>
    url.startsWith('/v1/')
      ? { body: { payload: { data: Buffer.from('{"key":"gcp-1"}').toString('base64') } } }
      : { body: { access_token: 'token-1' } }

  it.each([
    ['secret', '/v1/projects/home/secrets/secret/versions/latest:access'],
    ['proj/secret', '/v1/projects/proj/secrets/secret/versions/latest:access'],
    ['proj/secret/7', '/v1/projects/proj/secrets/secret/versions/7:access'],
    ['projects/proj/secrets/secret', '/v1/projects/proj/secrets/secret/versions/latest:access'],
    ['projects/proj/secrets/secret/versions/7', '/v1/projects/proj/secrets/secret/versions/7:access'],
  ])('createGcpSecretManagerResolver() reads %s with a given token', async (reference, url) => {
    const gcp = await store(answer)
    const env = {
      CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER: `${gcp.url}/`,
      GOOGLE_OAUTH_ACCESS_TOKEN: 'given',
      GOOGLE_CLOUD_PROJECT: 'home',
    }
    const resolver = createGcpSecretManagerResolver(secretWorld(env))
    expect(await resolver.resolve(reference, signal)).toBe('{"key":"gcp-1"}')
    expect(await resolver.resolve(`${reference}#key`, signal)).toBe('gcp-1')
    expect(gcp.seen[0]).toMatchObject({ url, headers: { authorization: 'Bearer given' } })
  })

  it('createGcpSecretManagerResolver() asks the metadata server for a token', async () => {
    const gcp = await store(answer)
    const env = { CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER: gcp.url, GCE_METADATA_HOST: gcp.host }
    await createGcpSecretManagerResolver(secretWorld(env)).resolve('p/s', signal)
    expect(gcp.seen[0]).toMatchObject({
      url: '/computeMetadata/v1/instance/service-accounts/default/token',
      headers: { 'metadata-flavor': 'Google' },
    })
    expect(gcp.seen[1]?.headers.authorization).toBe('Bearer token-1')
  })

  it.each(['a/b/c/d', '../x', 'a/b?c', 'a/'])(
    'createGcpSecretManagerResolver() refuses %s',
    async (reference) => {
      const env = { GOOGLE_OAUTH_ACCESS_TOKEN: 't', GOOGLE_CLOUD_PROJECT: 'p' }
      const resolver = createGcpSecretManagerResolver(secretWorld(env))
      await expect(resolver.resolve(reference, signal)).rejects.toThrow('is written project/name')
    },
  )
})

describe('createAwsSecretsManagerResolver', () => {
  const KEYS = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'session' }

  it('createAwsSecretsManagerResolver() sends a signed GetSecretValue', async () => {
    const aws = await store(() => ({ body: { SecretString: '{"openai":"sk-1"}' } }))
    const env = { ...KEYS, AWS_REGION: 'eu-central-1', AWS_ENDPOINT_URL_SECRETS_MANAGER: aws.url }
    const resolver = createAwsSecretsManagerResolver(secretWorld(env))
    expect(await resolver.resolve('app/keys', signal)).toBe('{"openai":"sk-1"}')
    expect(await resolver.resolve('app/keys#openai', signal)).toBe('sk-1')
    const [seen] = aws.seen
    expect(seen).toMatchObject({ method: 'POST', url: '/', body: '{"SecretId":"app/keys"}' })
    expect(seen?.headers).toMatchObject({
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'secretsmanager.GetSecretValue',
      'x-amz-security-token': 'session',
    })
    // What arrived must carry the signature of what arrived, the host included.
    const { authorization } = signAwsRequest(
      {
        method: 'POST',
        url: new URL(aws.url),
        headers: {
          'content-type': String(seen?.headers['content-type']),
          'x-amz-target': String(seen?.headers['x-amz-target']),
        },
        body: seen?.body ?? '',
        region: 'eu-central-1',
        service: 'secretsmanager',
      },
      { accessKeyId: 'AKID', secretAccessKey: 'secret', sessionToken: 'session' },
      NOW_MS,
    )
    expect(seen?.headers.host).toBe(aws.host)
    expect(seen?.headers.authorization).toBe(authorization)
  })

  it('createAwsSecretsManagerResolver() takes the region of an ARN', async () => {
    const aws = await store(() => ({ body: { SecretString: 'x' } }))
    const resolver = createAwsSecretsManagerResolver(secretWorld({ ...KEYS, AWS_ENDPOINT_URL: aws.url }))
    const arn = 'arn:aws:secretsmanager:us-west-2:123456789012:secret:app-AbCdEf'
    expect(await resolver.resolve(arn, signal)).toBe('x')
    expect(aws.seen[0]?.headers.authorization).toContain('/us-west-2/secretsmanager/')
  })

  it("createAwsSecretsManagerResolver() takes the container's credentials", async () => {
    const aws = await store(({ url }) => ({
      body:
        url === '/creds' ? { AccessKeyId: 'CID', SecretAccessKey: 'c', Token: 'ct' } : { SecretString: 'x' },
    }))
    const env = {
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: aws.url,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${aws.url}/creds`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/run/token',
    }
    await createAwsSecretsManagerResolver(secretWorld(env, { '/run/token': 'pod' })).resolve('a', signal)
    expect(aws.seen[0]?.headers.authorization).toBe('pod')
    expect(aws.seen[1]?.headers.authorization).toContain('Credential=CID/20150830/us-east-1/')
    expect(aws.seen[1]?.headers['x-amz-security-token']).toBe('ct')
  })

  it('createAwsSecretsManagerResolver() says what is missing or refused', async () => {
    const aws = await store(() => ({
      status: 400,
      body: { __type: 'ResourceNotFoundException', Message: 'no' },
    }))
    const env = { ...KEYS, AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: aws.url }
    const ask = (variables: Record<string, string>) =>
      createAwsSecretsManagerResolver(secretWorld(variables)).resolve('a', signal)
    await expect(ask(env)).rejects.toThrow('AWS Secrets Manager answered 400 ResourceNotFoundException')
    await expect(ask({})).rejects.toThrow('AWS_REGION is not set')
    await expect(ask({ AWS_REGION: 'x' })).rejects.toThrow('no AWS credentials')
    await expect(ask({ ...KEYS, AWS_REGION: 'evil.example/' })).rejects.toThrow('no name of a region')
  })
})
