import type { Clock } from '../core/clock.ts'
import type { Call } from './call.ts'
import { type Dialect, SimulatedError, toErrorBody } from './error-shapes.ts'
import { FaultSyntaxError, type Faults, NO_FAULTS } from './faults.ts'
import { FileShelf } from './file-shelf.ts'
import { type JsonObject, toText } from './json.ts'
import { type Route, toRoute } from './operations.ts'
import type { Random } from './random.ts'
import { type BodyReply, FREE, type SimulatedReply } from './reply.ts'
import { toErrorStatus, toPlainModel } from './script.ts'
import type { StatsKeeper } from './stats.ts'

/** What is known of a request before anything is answered. */
export interface Question {
  readonly route: Route
  readonly method: string
  /** After the question mark. */
  readonly query: string
  readonly body: JsonObject
  readonly bytes: Buffer
  readonly contentType: string
  readonly model: string
  readonly faults: Faults
  readonly requestId: string
}

const NO_QUERY = new URLSearchParams()
const NO_BYTES = Buffer.alloc(0)

/** Turns questions into replies; sends nothing. */
export class Answerer {
  private readonly clock: Clock
  private readonly random: Random
  private readonly stats: StatsKeeper
  private readonly files = new FileShelf()
  private readonly idStem: string
  private idNumber = 0

  constructor(clock: Clock, random: Random, seed: number, stats: StatsKeeper) {
    this.clock = clock
    this.random = random
    this.stats = stats
    // Two simulators, or one started twice, never give the same id.
    this.idStem = `sim${Math.floor(clock.now()).toString(36)}${seed.toString(36)}x`
  }

  readonly newId = (prefix: string): string => {
    this.idNumber++
    return `${prefix}${this.idStem}${this.idNumber.toString(36).padStart(8, '0')}`
  }

  /** @returns the reply, or the dialect's error: a refusal is an answer like any other */
  answer(question: Question): SimulatedReply | Promise<SimulatedReply> {
    const { route, faults, method } = question
    const refuse = (error: unknown) => toErrorReply(route.dialect, error, question.requestId, faults)
    try {
      const forced = this.toForcedReply(question)
      if (forced !== undefined) return forced
      if (route.operation === undefined) {
        throw new SimulatedError(404, `Unknown request URL: ${method} ${route.path}.`, 'unknown_url')
      }
      const reply = route.operation.answer(this.toCall(question))
      return reply instanceof Promise ? reply.catch(refuse) : reply
    } catch (error) {
      return refuse(error)
    }
  }

  /** One line of a batch: a question without a connection of its own. */
  private readonly answerInside = async (path: string, body: JsonObject): Promise<SimulatedReply> => {
    const route = toRoute('POST', path, 'openai')
    const model = route.model ?? toText(body.model)
    const reply = await this.answer({
      route,
      method: 'POST',
      query: '',
      body,
      bytes: NO_BYTES,
      contentType: 'application/json',
      model,
      faults: NO_FAULTS,
      requestId: this.newId('req_'),
    })
    this.stats.charge(model, reply.bill)
    return reply
  }

  private toCall(question: Question): Call {
    return {
      method: question.method,
      path: question.route.path,
      query: question.query === '' ? NO_QUERY : new URLSearchParams(question.query),
      body: question.body,
      bytes: question.bytes,
      contentType: question.contentType,
      model: question.model,
      faults: question.faults,
      nowSeconds: Math.floor(this.clock.now() / 1000),
      newId: this.newId,
      files: this.files,
      answer: this.answerInside,
    }
  }

  /** @returns what the settings or the model put in the place of an answer */
  private toForcedReply({ route, faults, model, requestId }: Question): BodyReply | undefined {
    if (faults === NO_FAULTS && !model.includes('error')) return undefined
    const failed = faults.fail !== undefined && this.random() < faults.fail
    const status = faults.status ?? (failed ? 500 : toErrorStatus(toPlainModel(model)))
    if (faults['error-body']) {
      const error = new SimulatedError(status ?? 500, 'The simulator was told to fail.', faults.code)
      return { ...toErrorReply(route.dialect, error, requestId, faults), status: 200 }
    }
    if (status !== undefined && (status < 200 || status >= 300)) {
      throw new SimulatedError(status, 'The simulator was told to fail.', faults.code)
    }
    if (faults.empty) {
      return { kind: 'body', status: 200, contentType: 'application/json', body: '', bill: FREE }
    }
    if (faults['content-type']?.startsWith('text/html')) {
      const body = '<!doctype html><title>Welcome</title><p>Please sign in to the network.</p>\n'
      return { kind: 'body', status: 200, contentType: 'text/html', body, bill: FREE }
    }
    return undefined
  }
}

/** @returns the error in the shape of the dialect; what is not an expected refusal becomes a 500 */
export function toErrorReply(dialect: Dialect, error: unknown, requestId: string, faults: Faults): BodyReply {
  const known =
    error instanceof SimulatedError
      ? error
      : error instanceof FaultSyntaxError
        ? new SimulatedError(400, error.message)
        : new SimulatedError(500, `The simulator failed: ${String(error)}`)
  const body = toErrorBody(dialect, known, requestId, faults['retry-after'])
  return {
    kind: 'body',
    status: known.status,
    contentType: 'application/json',
    body: JSON.stringify(body),
    bill: FREE,
  }
}
