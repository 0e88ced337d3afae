import { GatewayError } from '../core/errors.ts'
import type { Exchange, Plan } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import type { Call } from '../pipeline/run.ts'
import { createBackoff } from './backoff.ts'
import type { CallContext } from './call-context.ts'
import { Course, type Step } from './course.ts'
import { type Failed, tryTarget } from './one-try.ts'

/**
 * Calls the targets that the plan names, one after the other, until one answers: whoever fails before the first token
 * is not seen by the caller where another can answer.
 *
 * @throws GatewayError what the last target said, or `all_targets_failed`
 */
export function createCall(context: CallContext): Call {
  return async (exchange) => {
    const { plan, signal } = exchange
    const [first] = plan?.targets ?? []
    if (plan === undefined || first === undefined) throw new Error('The route stage left no target.')
    // Whoever left, or ran out of time, on the way here gets nothing sent for it, `drain` or not.
    signal.throwIfAborted()
    context.retries?.begin()
    const course = courseOf(context, plan)
    const failures: Failed[] = []
    let step = course.first()
    while (step !== undefined) {
      const tried = await makeTry(context, exchange, step, failures.length)
      if (tried.reply !== undefined) return tried.reply
      failures.push(tried)
      const { error, fault } = tried
      if (signal.aborted) throw error
      step = course.after(step.target, fault, milliseconds(error.retryAfterSeconds))
    }
    return told(failures, course)
  }
}

function courseOf({ breakers, retries, random }: CallContext, plan: Plan): Course {
  return new Course(plan, {
    admit: (target) => breakers?.admit(target) ?? OPEN_GATE,
    backoff: createBackoff(random),
    mayRetry: () => retries?.take() !== false,
  })
}

const OPEN_GATE = { open: false } as const

async function makeTry(context: CallContext, exchange: Exchange, { target, waitMs }: Step, failures: number) {
  const { signal, plan } = exchange
  if (waitMs > 0) await pause(waitMs, signal)
  // What the first target was held for may be too little for another.
  if (failures > 0 || target !== plan?.targets[0]) await context.cover?.(exchange, target)
  signal.throwIfAborted()
  return tryTarget(context, exchange, target, signal)
}

/**
 * @returns the provider's own refusal, where it speaks to the caller
 * @throws GatewayError what the caller is told where nobody answered
 */
function told(failures: readonly Failed[], course: Course): Reply {
  const last = failures.at(-1)
  if (last === undefined) throw allOpen(course.retryAfterMs)
  const targets = new Set(failures.map(({ attempt }) => `${attempt.provider}/${attempt.model}`))
  if (last.fault === 'callers' || targets.size === 1) {
    if (last.refusal !== undefined) return last.refusal
    throw last.error
  }
  throw allFailed(failures, course.retryAfterMs)
}

function allFailed(failures: readonly Failed[], retryAfterMs: number | undefined): GatewayError {
  const waits = failures.flatMap(({ error }) => error.retryAfterSeconds ?? [])
  const list = failures.map(({ attempt, error }) => `${attempt.provider}/${attempt.model}: ${error.code}`)
  const isLimited = failures.every(({ fault }) => fault === 'rate-limited')
  return new GatewayError(isLimited ? 'upstream_rate_limited' : 'all_targets_failed', {
    message: `None of the targets of this model could answer (${list.join('; ')}).`,
    detail: {
      attempts: failures.map(({ attempt, error }) => ({
        id: attempt.id,
        code: error.code,
        message: error.message,
      })),
    },
    retryAfterSeconds: Math.max(1, Math.ceil(Math.min(...waits, (retryAfterMs ?? 1000) / 1000))),
  })
}

/** Every target failed so often of late that nothing is sent to it for a while. */
function allOpen(retryAfterMs = 1000): GatewayError {
  return new GatewayError('all_targets_failed', {
    message: 'Every target of this model failed of late, and is given time to recover.',
    retryAfterSeconds: Math.max(1, Math.ceil(retryAfterMs / 1000)),
  })
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000
}

/** @throws the reason of the signal, where the call ends meanwhile */
function pause(waitMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', leave)
      resolve()
    }, waitMs)
    signal.addEventListener('abort', leave, { once: true })
  })
}
