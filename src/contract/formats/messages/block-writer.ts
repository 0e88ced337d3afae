import { type ReasoningState, toCarriedId, toCarriedSignature } from './carried-state.ts'
import { toFrame } from './frame.ts'
import type { Fields } from './read-fields.ts'
import { DIRECT_CALLER, isRedacted } from './to-reply.ts'
import { isCompleteJson } from './tool-input.ts'

interface Block {
  readonly kind: 'text' | 'thinking' | 'tool' | 'raw'
  readonly content: Fields
  /** Deltas that wait until the block before it is complete. */
  readonly waiting: Fields[]
  /** Which call of the choice, for a block of kind `tool`. */
  readonly call?: number
  /** The arguments so far: they say whether the call is complete. */
  json: string
  /** A thought that has ended takes no more. */
  ended: boolean
}

/**
 * Writes the content blocks of one message, strictly one after the other, as this format has it.
 *
 * Other formats may begin a second call before the first is complete. Such a block waits until the arguments
 * before it are whole JSON, which is the moment they always reach where calls come in turn; so nothing is held back
 * in an ordinary stream. What waits is bounded by the reply's output cap.
 */
export class BlockWriter {
  private index = -1
  private open: Block | undefined
  private queue: Block[] = []

  text(text: string): string {
    if (text === '') return ''
    return this.ensure('text', EMPTY_TEXT, { type: 'text_delta', text })
  }

  thought(text: string): string {
    if (text === '') return ''
    return this.ensure('thinking', THINKING, { type: 'thinking_delta', thinking: text })
  }

  endThought(state: ReasoningState): string {
    const last = this.last()
    const running = last?.kind === 'thinking' && !last.ended
    if (!running && isRedacted('', state)) {
      return this.add({ kind: 'raw', content: { type: 'redacted_thinking', data: state.encrypted } })
    }
    const signature = toCarriedSignature(state)
    if (!running && signature === '') return ''
    const written =
      signature === '' ? '' : this.ensure('thinking', THINKING, { type: 'signature_delta', signature })
    const thought = this.last()
    if (thought !== undefined) thought.ended = true
    return written
  }

  call(index: number, id: string, name: string, signature: string | undefined): string {
    const content = {
      type: 'tool_use',
      id: toCarriedId(id, signature),
      name,
      input: {},
      caller: DIRECT_CALLER,
    }
    return this.add({ kind: 'tool', content, call: index })
  }

  callArguments(index: number, json: string): string {
    if (json === '') return ''
    const block = [this.open, ...this.queue].find((candidate) => candidate?.call === index)
    // Closed means complete: only white space can come after whole JSON.
    if (block === undefined) return ''
    block.json += json
    const written = this.delta(block, { type: 'input_json_delta', partial_json: json })
    return this.queue.length > 0 ? written + this.advance() : written
  }

  /** One event of Anthropic's own stream that has no neutral word, under our numbering of blocks. */
  raw(event: Fields): string {
    switch (event.type) {
      case 'content_block_start':
        return this.add({ kind: 'raw', content: event.content_block as Fields })
      case 'content_block_delta':
        return this.rawDelta(event.delta as Fields)
      case 'content_block_stop':
        return ''
      default:
        return typeof event.type === 'string' ? toFrame(event.type, event) : ''
    }
  }

  /** A citation may come before the text it belongs to; anything else goes on with what began last. */
  private rawDelta(delta: Fields): string {
    if (delta.type === 'citations_delta') return this.ensure('text', EMPTY_TEXT, delta)
    const last = this.last()
    return last === undefined ? '' : this.delta(last, delta)
  }

  /** Closes what is open and what waits, complete or not. */
  finish(): string {
    let written = ''
    while (this.open !== undefined) written += this.next()
    return written
  }

  private last(): Block | undefined {
    return this.queue.at(-1) ?? this.open
  }

  private ensure(kind: 'text' | 'thinking', content: Fields, delta: Fields): string {
    const last = this.last()
    if (last?.kind === kind && !last.ended) return this.delta(last, delta)
    const written = this.add({ kind, content })
    const added = this.last()
    return added === undefined ? written : written + this.delta(added, delta)
  }

  private add(block: Pick<Block, 'kind' | 'content' | 'call'>): string {
    this.queue.push({ ...block, waiting: [], json: '', ended: false })
    return this.advance()
  }

  private delta(block: Block, delta: Fields): string {
    if (block !== this.open) {
      block.waiting.push(delta)
      return ''
    }
    // Written by hand: this is the frame of nearly every token.
    return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${this.index},"delta":${JSON.stringify(delta)}}\n\n`
  }

  /** Opens what waits, as far as the blocks before it are complete. */
  private advance(): string {
    let written = ''
    while (this.queue.length > 0 && (this.open === undefined || isComplete(this.open))) written += this.next()
    return written
  }

  private next(): string {
    let written = ''
    if (this.open !== undefined) {
      written += toFrame('content_block_stop', { type: 'content_block_stop', index: this.index })
    }
    this.open = this.queue.shift()
    if (this.open === undefined) return written
    this.index += 1
    written += toFrame('content_block_start', {
      type: 'content_block_start',
      index: this.index,
      content_block: this.open.content,
    })
    for (const delta of this.open.waiting) written += this.delta(this.open, delta)
    return written
  }
}

const EMPTY_TEXT: Fields = { type: 'text', text: '' }
const THINKING: Fields = { type: 'thinking', thinking: '', signature: '' }

function isComplete(block: Block): boolean {
  return block.kind !== 'tool' || isCompleteJson(block.json)
}
