import { StringDecoder } from 'node:string_decoder'
import { GatewayError } from '../core/errors.ts'
import { endpointPath, type Provider } from '../providers/provider-set.ts'
import { readWhole, toUpstreamError, type UpstreamResponse } from '../providers/transport.ts'
import { isReply, parseJson } from './send.ts'

type ObjectKind = 'file' | 'batch'

/** An object is a few lines of JSON; a line of output holds one reply, images included. */
const OBJECT_BYTES_MAX = 1024 * 1024
const LINE_LENGTH_MAX = 32 * 1024 * 1024

/**
 * Requests about files and batches at a provider that are the gateway's own and no caller's.
 *
 * @param providers those of the configuration in force
 */
export function createProviderObjects(providers: ReadonlyMap<string, Provider>) {
  async function ask(
    method: string,
    providerName: string,
    kind: ObjectKind,
    rest: string,
    signal: AbortSignal,
  ): Promise<UpstreamResponse> {
    const provider = providers.get(providerName)
    const path = provider === undefined ? undefined : endpointPath(provider, kind, '')
    if (provider === undefined || path === undefined) {
      throw new GatewayError('upstream_error', {
        message: `The provider \`${providerName}\` is not configured any more.`,
      })
    }
    const headers = { ...provider.defaultHeaders, ...provider.fixedHeaders }
    return provider.transport.send({ method, path: path + rest, headers, body: undefined, signal })
  }

  return {
    /** @returns `undefined` where the provider has no such object (any more) */
    async readObject(
      provider: string,
      kind: ObjectKind,
      id: string,
      signal: AbortSignal,
    ): Promise<Readonly<Record<string, unknown>> | undefined> {
      const response = await ask('GET', provider, kind, `/${encodeURIComponent(id)}`, signal)
      const json = parseJson(await readWhole(response, OBJECT_BYTES_MAX, signal))
      if (response.status === 404) return undefined
      if (response.status < 400 && isReply(json)) return json
      throw failed(provider, response.status)
    },

    /** Lines of a file, without their ends, as they come. */
    async *readLines(provider: string, fileId: string, signal: AbortSignal): AsyncGenerator<string> {
      const response = await ask('GET', provider, 'file', `/${encodeURIComponent(fileId)}/content`, signal)
      if (response.status >= 400) {
        response.body.destroy()
        throw failed(provider, response.status)
      }
      const decoder = new StringDecoder('utf8')
      let rest = ''
      try {
        for await (const chunk of response.body) {
          const lines = (rest + decoder.write(chunk)).split('\n')
          rest = lines.pop() ?? ''
          if (rest.length > LINE_LENGTH_MAX) {
            throw new GatewayError('upstream_error', { message: 'A line of a file is too long to be read.' })
          }
          yield* lines
        }
      } catch (error) {
        throw toUpstreamError(error, signal)
      }
      rest += decoder.end()
      if (rest !== '') yield rest
    },

    /** Deletes a file, cancels a batch. */
    async discard(provider: string, kind: ObjectKind, id: string): Promise<void> {
      const [method, suffix] = kind === 'file' ? ['DELETE', ''] : ['POST', '/cancel']
      const rest = `/${encodeURIComponent(id)}${suffix}`
      const response = await ask(method ?? '', provider, kind, rest, AbortSignal.timeout(DISCARD_MS_MAX))
      response.body.destroy()
    },
  }
}

const DISCARD_MS_MAX = 10_000

function failed(provider: string, status: number): GatewayError {
  return new GatewayError('upstream_error', {
    message: `The provider \`${provider}\` failed (status ${status}).`,
    detail: { provider, status },
  })
}
