import type { Clock } from '../../core/clock.ts'
import type { Fault } from '../fault.ts'
import type { BreakerSettings, Sign } from './breaker.ts'
import type { BreakerRecord, BreakerState, ProviderBreaker } from './ports.ts'
import { type Guard, ProviderBreakers } from './provider-breakers.ts'

export interface BreakerBoardOptions {
  readonly settings: BreakerSettings
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Hears of what changed here, and not of what another replica said. */
  readonly onChange: (record: BreakerRecord) => void
}

interface TargetOf {
  readonly provider: string
  readonly model: string
}

export interface Refused {
  readonly open: true
  /** At least 1; whole milliseconds. */
  readonly retryAfterMs: number
  /** `paused`: the provider asked for it. `held`: an operator did. */
  readonly why: 'open' | 'half-open' | 'paused' | 'held'
  /** For the waterfall. */
  readonly reason: string
}

export type Admission = { readonly open: false } | Refused

export interface CallFacts {
  /** Since the attempt began. */
  readonly durationMs: number
  /** What the provider asked for. */
  readonly retryAfterMs?: number | undefined
}

/** The circuit breakers of all providers and targets, in this process. */
export interface BreakerBoard {
  /** Lets a call to a target through, or says when to ask again. What is let through is to be noted once it is over. */
  admit(target: TargetOf): Admission
  /** @param fault `undefined` = answered */
  note(target: TargetOf, fault: Fault | undefined, facts: CallFacts): void
  /** The provider is there, as something else than a call has shown: an open breaker tries again at once. */
  signOfLife(provider: string): void
  state(provider: string): ProviderBreaker
  /** @returns all that anything is known of */
  states(): ProviderBreaker[]
  /** Does what an operator says: closed forgets everything, open stays open until an operator closes it. */
  force(provider: string, state: BreakerState): void
  /** Takes over what another replica says. */
  apply(record: BreakerRecord): void
  reconfigure(settings: BreakerSettings): void
  /** Goes on where time alone changes something; to be called about once a second. */
  tick(): void
}

const ADMITTED: Admission = Object.freeze({ open: false })

const SIGNS: Readonly<Record<Fault, Sign>> = {
  connection: 'failure',
  'key-refused': 'failure',
  server: 'failure',
  overloaded: 'failure',
  timeout: 'failure',
  cut: 'cut',
  // Whoever reads a request well enough to refuse it is there.
  callers: 'alive',
  'rate-limited': 'alive',
  'context-length': 'nothing',
  unsupported: 'nothing',
  left: 'nothing',
  ours: 'nothing',
}

export function createBreakerBoard(options: BreakerBoardOptions): BreakerBoard {
  const { clock, random } = options
  let { settings } = options
  const providers = new Map<string, ProviderBreakers>()

  function breakersOf(provider: string): ProviderBreakers {
    let breakers = providers.get(provider)
    if (breakers === undefined) {
      const made = new ProviderBreakers(settings, (guard) => options.onChange(toRecord(provider, guard)))
      providers.set(provider, made)
      breakers = made
    }
    return breakers
  }

  /** @param nowMs monotonic */
  function toUnix(momentMs: number, nowMs: number): number {
    return Math.round(clock.now() + momentMs - nowMs)
  }

  function toRecord(provider: string, { model, breaker, pause }: Guard): BreakerRecord {
    const nowMs = clock.monotonicMs()
    const isOpen = breaker.state === 'open'
    return {
      provider,
      model,
      state: breaker.state,
      failures: breaker.failures(nowMs),
      reason: breaker.reason,
      openedAtMs: breaker.state === 'closed' ? undefined : toUnix(breaker.openedMs, nowMs),
      untilMs:
        isOpen && breaker.untilMs !== Number.POSITIVE_INFINITY ? toUnix(breaker.untilMs, nowMs) : undefined,
      level: breaker.level,
      byOperator: breaker.byOperator,
      pausedUntilMs: pause.untilMs > nowMs ? toUnix(pause.untilMs, nowMs) : undefined,
      changedAtMs: clock.now(),
    }
  }

  function view(provider: string, breakers: ProviderBreakers): ProviderBreaker {
    const targets = [...breakers.targets.values()].map((target) => toRecord(provider, target))
    return { ...toRecord(provider, breakers.own), targets: targets.filter(hasNews) }
  }

  return {
    admit({ provider, model }) {
      const breakers = providers.get(provider)
      if (breakers === undefined || breakers.isCalm) return ADMITTED
      const nowMs = clock.monotonicMs()
      const guard = breakers.admit(model, nowMs)
      return guard === undefined ? ADMITTED : toRefused(guard, settings, nowMs)
    },
    note({ provider, model }, fault, { durationMs, retryAfterMs }) {
      const breakers = breakersOf(provider)
      const nowMs = clock.monotonicMs()
      const startedMs = nowMs - durationMs
      const sign = signOf(fault, durationMs, settings.slowCallMs)
      breakers.note(model, sign, fault ?? sign, startedMs, nowMs, random())
      if (fault === 'rate-limited') breakers.limit(model, retryAfterMs, startedMs, nowMs)
    },
    signOfLife(provider) {
      providers.get(provider)?.signOfLife(clock.monotonicMs())
    },
    state: (provider) => view(provider, breakersOf(provider)),
    states: () => [...providers].map(([provider, breakers]) => view(provider, breakers)),
    force(provider, state) {
      breakersOf(provider).force(state, clock.monotonicMs())
    },
    apply(record) {
      const breakers = breakersOf(record.provider)
      const nowMs = clock.monotonicMs()
      const toMonotonic = (momentMs: number | undefined, otherwise: number) =>
        momentMs === undefined ? otherwise : nowMs + momentMs - clock.now()
      const guard = record.model === '' ? breakers.own : breakers.target(record.model, 'failure', nowMs)
      if (guard === undefined) return
      // Only an operator holds one open without an end.
      const endless = record.byOperator ? Number.POSITIVE_INFINITY : nowMs
      guard.breaker.follow(record, toMonotonic(record.untilMs, endless), nowMs)
      if (record.pausedUntilMs !== undefined) guard.pause.extend(toMonotonic(record.pausedUntilMs, 0), nowMs)
      else if (record.byOperator) guard.pause.end(nowMs)
      breakers.calm(nowMs)
    },
    reconfigure(next) {
      settings = next
      for (const breakers of providers.values()) breakers.reconfigure(next)
    },
    tick() {
      const nowMs = clock.monotonicMs()
      for (const breakers of providers.values()) breakers.advance(nowMs)
    },
  }
}

function signOf(fault: Fault | undefined, durationMs: number, slowCallMs: number | undefined): Sign {
  if (fault !== undefined) return SIGNS[fault]
  return slowCallMs !== undefined && durationMs >= slowCallMs ? 'slow' : 'answer'
}

function hasNews({ state, failures, pausedUntilMs }: BreakerRecord): boolean {
  return state !== 'closed' || failures > 0 || pausedUntilMs !== undefined
}

function toRefused({ model, breaker, pause }: Guard, settings: BreakerSettings, nowMs: number): Refused {
  const whose = model === '' ? "the provider's" : "the model's"
  const isPaused = pause.leftMs(nowMs) >= breaker.waitMs(nowMs)
  if (isPaused) {
    const what = model === '' ? 'the provider' : 'the model'
    return refused(pause.leftMs(nowMs), 'paused', `${what} is paused because of its rate limit`)
  }
  const waitMs = breaker.waitMs(nowMs)
  // Nobody knows when an operator lets calls through again.
  if (breaker.byOperator) return refused(settings.openSeconds * 1000, 'held', `${whose} breaker is held open`)
  if (breaker.state === 'half-open')
    return refused(waitMs, 'half-open', `${whose} breaker is half-open, and other calls are trying`)
  return refused(waitMs, 'open', `${whose} breaker is open: ${breaker.reason ?? 'it failed'}`)
}

function refused(waitMs: number, why: Refused['why'], reason: string): Refused {
  return { open: true, retryAfterMs: Math.max(1, Math.ceil(waitMs)), why, reason }
}
