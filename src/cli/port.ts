import { createServer } from 'node:net'
import { GatewayError } from '../core/errors.ts'

/** @throws GatewayError `conflict` where somebody listens there already, `invalid_request` where nobody can */
export async function requireFreePort({ host, port }: { host: string; port: number }): Promise<void> {
  if (port === 0) return
  const probe = createServer()
  try {
    await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(port, host, resolve))
  } catch (error) {
    throw toPortError(error, host, port)
  } finally {
    probe.close()
  }
}

/** @returns a sentence for people in place of what the system says of a port */
export function toPortError(error: unknown, host: string, port: number): unknown {
  const { code } = error as { code?: unknown }
  if (code === 'EADDRINUSE') {
    return new GatewayError('conflict', {
      message: `Port ${port} is in use. Choose another: \`npm start -- --port ${port + 1}\`, or set GATEHOUSE_PORT.`,
    })
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
    return new GatewayError('invalid_request', {
      message: `This process may not listen on ${host}:${port} (${code}).`,
    })
  }
  return error
}
