import type {
  ChatChoice,
  ChatReply,
  FinishReason,
  Part,
  StreamEvent,
  ToolCallPart,
  Usage,
} from '../contract/chat.ts'
import type { Warning } from '../contract/warning.ts'
import type { Exchange } from '../pipeline/exchange.ts'

/** What a call cost and who answered it. */
export interface CallFacts {
  /** The `x-request-id`, under which the control API finds the call. */
  readonly requestId: string
  readonly provider: string
  /** The model's name at the provider. */
  readonly model: string
  readonly usage: Usage
  /** The usage is our own count. */
  readonly estimated: boolean
  /** Billionths of a US dollar. */
  readonly costNanoUsd: number
  /** Things asked for that the provider could not do. */
  readonly warnings: readonly Warning[]
}

export interface Completion extends CallFacts {
  /** Text of the first choice. */
  readonly text: string
  /** Thoughts of the first choice, where the model shows them. */
  readonly reasoning: string
  readonly toolCalls: readonly ToolCallPart[]
  readonly finishReason: FinishReason
  /** The whole reply; its first choice can be sent back as the next `assistant` message. */
  readonly reply: ChatReply
}

export function toFacts(exchange: Exchange): CallFacts {
  const last = exchange.attempts.at(-1)
  return {
    requestId: exchange.id,
    provider: last?.provider ?? '',
    model: last?.model ?? '',
    usage: last?.usage ?? {},
    estimated: last?.estimated ?? false,
    costNanoUsd: exchange.attempts.reduce((sum, attempt) => sum + attempt.costNanoUsd, 0),
    warnings: exchange.warnings,
  }
}

export function toCompletion(exchange: Exchange, reply: ChatReply): Completion {
  const first = reply.choices[0]
  const content = first?.content ?? []
  return {
    ...toFacts(exchange),
    text: textOf(content, 'text'),
    reasoning: textOf(content, 'reasoning'),
    toolCalls: content.filter((part) => part.type === 'tool-call'),
    finishReason: first?.finishReason ?? 'other',
    reply,
  }
}

function textOf(content: readonly Part[], type: 'text' | 'reasoning'): string {
  return content.map((part) => (part.type === type ? part.text : '')).join('')
}

/** A choice of a reply while it streams in. */
interface Draft {
  readonly parts: Part[]
  readonly calls: Map<number, number>
  finishReason: FinishReason
}

/** Puts a streamed reply together. */
export class ReplyCollector {
  private head = { id: '', model: '', createdSeconds: 0 }
  private readonly drafts = new Map<number, Draft>()

  take(event: StreamEvent): void {
    switch (event.type) {
      case 'reply-start':
        this.head = { id: event.id, model: event.model, createdSeconds: event.createdSeconds }
        break
      case 'text-delta':
        this.append(event.choice, 'text', event.text)
        break
      case 'refusal-delta':
        this.append(event.choice, 'refusal', event.text)
        break
      case 'reasoning-delta':
        this.append(event.choice, 'reasoning', event.text)
        break
      case 'reasoning-end':
        this.endReasoning(event)
        break
      case 'tool-call-start': {
        const { parts, calls } = this.draft(event.choice)
        calls.set(event.index, parts.length)
        const { id, name, signature } = event
        parts.push({
          type: 'tool-call',
          id,
          name,
          arguments: '',
          ...(signature === undefined ? {} : { signature }),
        })
        break
      }
      case 'tool-call-delta': {
        const { parts, calls } = this.draft(event.choice)
        const position = calls.get(event.index) ?? -1
        const call = parts[position]
        if (call?.type === 'tool-call')
          parts[position] = { ...call, arguments: call.arguments + event.arguments }
        break
      }
      case 'choice-finish':
        this.draft(event.choice).finishReason = event.reason
        break
      default:
        break
    }
  }

  toReply(usage: Usage): ChatReply {
    const choices = [...this.drafts]
      .map(([index, { parts, finishReason }]): ChatChoice => ({ index, content: parts, finishReason }))
      .sort((first, second) => first.index - second.index)
    return { ...this.head, choices, usage }
  }

  private draft(choice: number): Draft {
    let draft = this.drafts.get(choice)
    if (draft === undefined) {
      draft = { parts: [], calls: new Map(), finishReason: 'other' }
      this.drafts.set(choice, draft)
    }
    return draft
  }

  private append(choice: number, type: 'text' | 'refusal' | 'reasoning', text: string): void {
    const { parts } = this.draft(choice)
    const last = parts.at(-1)
    if (last?.type === type && !isSealed(last)) parts[parts.length - 1] = { ...last, text: last.text + text }
    else parts.push({ type, text })
  }

  private endReasoning(event: Extract<StreamEvent, { type: 'reasoning-end' }>): void {
    const { parts } = this.draft(event.choice)
    const { signature, encrypted, id } = event
    const seal = {
      ...(signature === undefined ? {} : { signature }),
      ...(encrypted === undefined ? {} : { encrypted }),
      ...(id === undefined ? {} : { id }),
    }
    const last = parts.at(-1)
    if (last?.type === 'reasoning' && !isSealed(last)) parts[parts.length - 1] = { ...last, ...seal }
    else parts.push({ type: 'reasoning', text: '', ...seal })
  }
}

/** A seal closes a thought; what follows is the next one. */
function isSealed(part: Part): boolean {
  if (part.type !== 'reasoning') return false
  return part.signature !== undefined || part.encrypted !== undefined || part.id !== undefined
}
