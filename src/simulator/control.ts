import type { ServerResponse } from 'node:http'
import { type FaultRules, FaultSyntaxError, parseFaultRule } from './faults.ts'
import type { Received, StatsKeeper } from './stats.ts'

/** Answers `/sim/…`: the simulator's own switches and books, which no provider has. */
export function answerControl(
  method: string,
  path: string,
  bytes: Buffer,
  response: ServerResponse,
  stats: StatsKeeper,
  rules: FaultRules,
): void {
  switch (`${method} ${path}`) {
    case 'GET /sim/stats':
      send(response, 200, stats.snapshot())
      break
    case 'POST /sim/stats/reset':
      stats.reset()
      send(response, 200, stats.snapshot())
      break
    case 'GET /sim/last': {
      const last = stats.lastReceived().at(-1)
      send(response, 200, last === undefined ? null : toPublic(last))
      break
    }
    case 'GET /sim/requests':
      send(response, 200, stats.lastReceived().map(toPublic))
      break
    case 'GET /sim/control':
      send(response, 200, toPublicRules(rules))
      break
    case 'DELETE /sim/control':
      rules.replace([])
      send(response, 200, [])
      break
    case 'POST /sim/control':
      control(bytes, response, rules)
      break
    default:
      send(response, 404, { error: { message: `The simulator has no ${method} ${path}.` } })
  }
}

/** One rule or a list of them replaces all that were there. */
function control(bytes: Buffer, response: ServerResponse, rules: FaultRules): void {
  try {
    const body: unknown = bytes.length === 0 ? {} : JSON.parse(bytes.toString('utf8'))
    rules.replace((Array.isArray(body) ? body : [body]).map(parseFaultRule))
    send(response, 200, toPublicRules(rules))
  } catch (error) {
    if (!(error instanceof FaultSyntaxError) && !(error instanceof SyntaxError)) throw error
    send(response, 400, { error: { message: error.message } })
  }
}

function toPublicRules(rules: FaultRules): object[] {
  return rules.list().map(({ faults, model, path, times }) => ({
    ...faults,
    ...(model === undefined && path === undefined ? {} : { match: { model, path } }),
    ...(Number.isFinite(times) ? { times } : {}),
  }))
}

function toPublic({ rawHeaders, body, ...rest }: Received): object {
  const headers: Record<string, string> = {}
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase()
    const value = rawHeaders[i + 1] ?? ''
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value
  }
  return { ...rest, headers, body: toJsonOrText(body) }
}

function toJsonOrText(body: Buffer): unknown {
  const text = body.toString('utf8')
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
