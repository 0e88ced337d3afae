import { loadConfig } from '../config/load.ts'
import { GatewayError } from '../core/errors.ts'
import { newSecret } from '../core/ids.ts'
import { createGateway } from '../gateway.ts'
import { createServer } from '../http/server.ts'
import { LOAD, load, openMigrated } from './open.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** The control API, wherever it is. */
export interface ControlClient {
  /** @throws GatewayError with the API's own message */
  call(method: Method, path: string, body?: unknown): Promise<unknown>
  close(): Promise<void>
}

/**
 * @returns the control API of the gateway that runs here; where none runs, the same API over the stores that the
 *   configuration names, opened for this one command
 */
export async function openControl(): Promise<ControlClient> {
  const { host, port, adminKey } = (await loadConfig({ ...LOAD, only: ['server'] })).config.server
  const base = `http://${host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host}:${port}`
  if (await isRunning(base)) {
    if (adminKey === undefined) {
      throw new GatewayError('invalid_request', {
        message: `A gateway runs at ${base}. Set GATEHOUSE_ADMIN_KEY to the admin key it printed on its first start.`,
      })
    }
    return overHttp(base, adminKey.reveal())
  }
  return overStores()
}

async function isRunning(base: string): Promise<boolean> {
  try {
    const response = await fetch(`${base}/livez`, { signal: AbortSignal.timeout(1000) })
    return response.ok
  } catch {
    return false
  }
}

function overHttp(base: string, key: string): ControlClient {
  return {
    async call(method, path, body) {
      const response = await fetch(`${base}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
      })
      return toResult(response.status, await response.text())
    },
    close: () => Promise.resolve(),
  }
}

async function overStores(): Promise<ControlClient> {
  // Whoever can open the stores needs no key; the API asks for one, so it gets one that lives as long as this command.
  const key = newSecret('gha-')
  const loaded = await load([{ path: ['server', 'adminKey'], value: key, from: 'this command' }])
  const database = await openMigrated(loaded)
  const gateway = await createGateway({ config: loaded.config, database })
  const server = await createServer(gateway)
  return {
    async call(method, path, body) {
      const response = await server.app.inject({
        method,
        url: `/api/v1${path}`,
        headers: { authorization: `Bearer ${key}` },
        ...(body === undefined ? {} : { payload: body as object }),
      })
      return toResult(response.statusCode, response.body)
    },
    async close() {
      await server.close()
      await gateway.close()
      await database.close()
    },
  }
}

function toResult(status: number, text: string): unknown {
  const body: unknown = text === '' ? null : JSON.parse(text)
  if (status < 400) return body
  const { error } = body as { error?: { message?: string } }
  throw new GatewayError(status === 404 ? 'not_found' : 'invalid_request', {
    message: error?.message ?? `The control API answered with status ${status}.`,
  })
}
