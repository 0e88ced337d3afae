import type { Attempt } from '../pipeline/exchange.ts'
import { Demand, type DemandFacts } from './demand.ts'
import type { Usual } from './experience.ts'
import type { Meter, MeterState } from './ports.ts'

/** Nano-dollars of one token, in every quote of these tests. */
export const INPUT_NANO = 10
export const OUTPUT_NANO = 40

export const UNKNOWN: Usual = {
  inputTokens: undefined,
  outputTokens: undefined,
  costFactor: 1,
  heedsCap: undefined,
  reasons: false,
}

/** @returns the demand of a call of 2,000 bytes and at most 4,000 tokens, to a model that nobody has seen */
export function makeDemand(changes: Partial<DemandFacts> = {}): Demand {
  return new Demand({
    inputBytes: 2000,
    asked: { tokensMax: 4000, choices: 1, tokensMin: 16 },
    usual: UNKNOWN,
    quote: { costOf: (input, output) => input * INPUT_NANO + output * OUTPUT_NANO },
    grows: false,
    unitsNanoUsd: 0,
    priceVersion: 'v1',
    ...changes,
  })
}

/** @returns the demand of a call that usually has 100 tokens of input and 1,000 of output */
export function makeKnownDemand(changes: Partial<DemandFacts> = {}, usual: Partial<Usual> = {}): Demand {
  return makeDemand({ usual: { ...UNKNOWN, inputTokens: 100, outputTokens: 1000, ...usual }, ...changes })
}

export const MONTH = { kind: 'period', startMs: 0, endMs: 1_000_000 } as const

/** @returns the hard budget of an organization */
export function makeMeter(changes: Partial<Meter> = {}): Meter {
  return { id: 'organization/budget', quantity: 'costNanoUsd', limit: 1_000_000, window: MONTH, ...changes }
}

/** @returns the state of a meter that nobody used, whose window ends at 60,000 */
export function makeState(meter: Meter, changes: Partial<MeterState> = {}): MeterState {
  return { id: meter.id, limit: meter.limit, used: 0, held: 0, resetsAtMs: 60_000, ...changes }
}

/** @returns an attempt that left */
export function makeAttempt(changes: Partial<Attempt> = {}): Attempt {
  return {
    id: 'req_1.1',
    number: 1,
    provider: 'p',
    model: 'm',
    reason: '',
    startedMs: 0,
    price: { version: 'v1', known: true },
    headersMs: undefined,
    firstTokenMs: undefined,
    endedMs: undefined,
    status: 200,
    dispatched: true,
    usage: {},
    units: {},
    outputText: '',
    estimated: false,
    costNanoUsd: 0,
    errorCode: undefined,
    errorMessage: undefined,
    upstreamRequestId: undefined,
    ...changes,
  }
}
