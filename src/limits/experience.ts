import { FadingHistogram } from './quantiles.ts'

/** What one call turned out to use, as its provider said. */
export interface Observed {
  readonly target: string
  readonly task: string | undefined
  /** Of the request, as `inputBytesOf` measures it. */
  readonly inputBytes: number
  readonly inputTokens: number
  /** Of all its answers together. */
  readonly outputTokens: number
  /** How many answers were asked for. */
  readonly choices: number
  /** Cost beyond what `Quote` says of these tokens, as a factor; 1 = just as much. */
  readonly costFactor: number
  /** The output cap that was sent, of one answer. */
  readonly outputTokensMax: number | undefined
  /** It wrote what nobody saw. */
  readonly reasons: boolean
}

/** What a target usually does with a request of this size. */
export interface Usual {
  /** Tokens of input; `undefined` where nothing of this size was seen yet. */
  readonly inputTokens: number | undefined
  /** Tokens of one answer. */
  readonly outputTokens: number | undefined
  /** What a call costs beyond its quote: long-lived cache writes, sound, tools of the provider. At least 1. */
  readonly costFactor: number
  /** Whether it stops at the output cap: `undefined` = not seen yet. */
  readonly heedsCap: boolean | undefined
  readonly reasons: boolean
}

const NEW: Usual = {
  inputTokens: undefined,
  outputTokens: undefined,
  costFactor: 1,
  heedsCap: undefined,
  reasons: false,
}

/** A caller may invent models; those that answer are few. */
const TARGETS_MAX = 2000
const TASKS_MAX = 32
/** Sizes of requests by powers of two: within one, tokens per byte vary little. */
const SIZES = 32
/** What nearly every call stays within. */
const SHARE = 0.99
/** Fewer calls of a task say less than all calls of the model. */
const TASK_SAMPLES_MIN = 8
const EXCESS_SCALE = 1000
/** What one call cost beyond its price says little of the next, so that no caller makes a model dear for others. */
const EXCESS_MAX = 10
/** The same of what stood behind a short request: files, earlier turns, searches. Text has no more tokens than bytes. */
const AROUND_TOKENS_MAX = 4096

class TargetExperience {
  /** Tokens per thousand bytes, by the size of the request. */
  private readonly input: (FadingHistogram | undefined)[] = new Array(SIZES)
  private readonly output = new FadingHistogram()
  private readonly outputByTask = new Map<string, FadingHistogram>()
  /** Cost beyond the quote, in thousandths of it: mostly none. */
  private readonly excess = new FadingHistogram()
  private heedsCap: boolean | undefined
  private reasons = false

  note(seen: Observed): void {
    const size = sizeOf(seen.inputBytes)
    const input = this.input[size] ?? new FadingHistogram()
    this.input[size] = input
    // One more, because what is left of a token at the end of a text grows to a whole one in a longer text.
    const inputTokens = Math.min(seen.inputTokens, seen.inputBytes + AROUND_TOKENS_MAX)
    input.add(((inputTokens + 1) * 1000) / Math.max(1, seen.inputBytes))
    const output = seen.outputTokens / seen.choices
    this.output.add(output)
    if (seen.task !== undefined) this.ofTask(seen.task)?.add(output)
    this.excess.add(Math.min(EXCESS_MAX, Math.max(0, seen.costFactor - 1)) * EXCESS_SCALE)
    const cap = seen.outputTokensMax ?? Number.POSITIVE_INFINITY
    if (output > cap) this.heedsCap = false
    else if (output === cap) this.heedsCap ??= true
    this.reasons ||= seen.reasons
  }

  usual(task: string | undefined, inputBytes: number): Usual {
    const input = this.inputOf(sizeOf(inputBytes))
    const ofTask = task === undefined ? undefined : this.outputByTask.get(task)
    const output = ofTask !== undefined && ofTask.samples >= TASK_SAMPLES_MIN ? ofTask : this.output
    return {
      inputTokens:
        input === undefined ? undefined : Math.ceil((input.quantile(SHARE) * Math.max(1, inputBytes)) / 1000),
      outputTokens: Math.ceil(output.quantile(SHARE)),
      costFactor: 1 + this.excess.quantile(SHARE) / EXCESS_SCALE,
      heedsCap: this.heedsCap,
      reasons: this.reasons,
    }
  }

  /** What surrounds a prompt weighs less in a longer one, so that a shorter one tells what a longer one has at most. */
  private inputOf(size: number): FadingHistogram | undefined {
    for (let known = size; known >= 0; known--) {
      const input = this.input[known]
      if (input !== undefined) return input
    }
    return undefined
  }

  private ofTask(task: string): FadingHistogram | undefined {
    const known = this.outputByTask.get(task)
    if (known !== undefined || this.outputByTask.size >= TASKS_MAX) return known
    const histogram = new FadingHistogram()
    this.outputByTask.set(task, histogram)
    return histogram
  }
}

/** Learns from every call what the next one like it will use. In memory: a new process learns anew, within seconds. */
export class Experience {
  private readonly targets = new Map<string, TargetExperience>()

  note(seen: Observed): void {
    let target = this.targets.get(seen.target)
    if (target === undefined) {
      if (this.targets.size >= TARGETS_MAX) {
        const oldest = this.targets.keys().next()
        if (!oldest.done) this.targets.delete(oldest.value)
      }
      target = new TargetExperience()
      this.targets.set(seen.target, target)
    }
    target.note(seen)
  }

  usual(target: string, task: string | undefined, inputBytes: number): Usual {
    return this.targets.get(target)?.usual(task, inputBytes) ?? NEW
  }
}

function sizeOf(bytes: number): number {
  return 31 - Math.clz32(Math.max(1, bytes))
}
