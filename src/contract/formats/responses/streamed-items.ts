import { CustomInputReader } from './custom-input.ts'
import type { EventWriter } from './event-writer.ts'
import {
  type Call,
  callItem,
  type ItemStatus,
  messageItem,
  reasoningItem,
  refusalPart,
  textPart,
  type WireItem,
} from './output-items.ts'
import type { ToolIdentity } from './tool-identity.ts'

/** One output item while it grows. Its methods return the frames that are due. */
export interface StreamedItem {
  /** The item as far as it is known. */
  snapshot(status: ItemStatus): WireItem
  close(status: ItemStatus): string
}

interface Place {
  readonly id: string
  readonly outputIndex: number
}

function added(writer: EventWriter, place: Place, item: WireItem): string {
  return writer.write('response.output_item.added', { output_index: place.outputIndex, item })
}

function done(writer: EventWriter, place: Place, item: WireItem): string {
  return writer.write('response.output_item.done', { output_index: place.outputIndex, item })
}

/** A message: text and refusals, one open part at a time. */
export class StreamedMessage implements StreamedItem {
  private readonly writer: EventWriter
  private readonly place: Place
  private readonly parts: WireItem[] = []
  private open: { type: 'text' | 'refusal'; text: string; logprobs: unknown[] } | undefined

  constructor(writer: EventWriter, place: Place) {
    this.writer = writer
    this.place = place
  }

  start(): string {
    return added(this.writer, this.place, messageItem(this.place.id, [], 'in_progress'))
  }

  text(delta: string, logprobs: readonly unknown[]): string {
    let frames = this.openPart('text')
    if (this.open === undefined) return frames
    this.open.text += delta
    this.open.logprobs.push(...logprobs)
    frames += this.write('response.output_text.delta', { delta, logprobs })
    return frames
  }

  refusal(delta: string): string {
    const frames = this.openPart('refusal')
    if (this.open !== undefined) this.open.text += delta
    return frames + this.write('response.refusal.delta', { delta })
  }

  snapshot(status: ItemStatus): WireItem {
    const open = this.openWirePart()
    return messageItem(this.place.id, open === undefined ? this.parts : [...this.parts, open], status)
  }

  close(status: ItemStatus): string {
    return this.closePart() + done(this.writer, this.place, this.snapshot(status))
  }

  private openPart(type: 'text' | 'refusal'): string {
    if (this.open?.type === type) return ''
    const frames = this.closePart()
    this.open = { type, text: '', logprobs: [] }
    return frames + this.write('response.content_part.added', { part: this.openWirePart() })
  }

  private closePart(): string {
    const open = this.open
    const part = this.openWirePart()
    if (open === undefined || part === undefined) return ''
    const frames =
      open.type === 'text'
        ? this.write('response.output_text.done', { text: open.text, logprobs: open.logprobs })
        : this.write('response.refusal.done', { refusal: open.text })
    const closed = frames + this.write('response.content_part.done', { part })
    this.parts.push(part)
    this.open = undefined
    return closed
  }

  private openWirePart(): WireItem | undefined {
    const open = this.open
    if (open === undefined) return undefined
    return open.type === 'text' ? textPart(open.text, open.logprobs) : refusalPart(open.text)
  }

  private write(type: string, fields: WireItem): string {
    return this.writer.write(type, {
      item_id: this.place.id,
      output_index: this.place.outputIndex,
      content_index: this.parts.length,
      ...fields,
    })
  }
}

/** A thought: one summary, and at its end what has to come back in the next turn. */
export class StreamedReasoning implements StreamedItem {
  private readonly writer: EventWriter
  private readonly place: Place
  private summary = ''
  private encrypted: string | undefined

  constructor(writer: EventWriter, place: Place) {
    this.writer = writer
    this.place = place
  }

  get id(): string {
    return this.place.id
  }

  start(): string {
    return added(this.writer, this.place, reasoningItem(this.place.id, '', undefined))
  }

  text(delta: string): string {
    const opening =
      this.summary === ''
        ? this.write('response.reasoning_summary_part.added', { part: { type: 'summary_text', text: '' } })
        : ''
    this.summary += delta
    return opening + this.write('response.reasoning_summary_text.delta', { delta })
  }

  setEncrypted(encrypted: string | undefined): void {
    this.encrypted = encrypted
  }

  snapshot(): WireItem {
    return reasoningItem(this.place.id, this.summary, this.encrypted)
  }

  close(): string {
    const text = this.summary
    const closing =
      text === ''
        ? ''
        : this.write('response.reasoning_summary_text.done', { text }) +
          this.write('response.reasoning_summary_part.done', { part: { type: 'summary_text', text } })
    return closing + done(this.writer, this.place, this.snapshot())
  }

  private write(type: string, fields: WireItem): string {
    return this.writer.write(type, {
      item_id: this.place.id,
      output_index: this.place.outputIndex,
      summary_index: 0,
      ...fields,
    })
  }
}

/** A call of a function or of a custom tool. */
export class StreamedCall implements StreamedItem {
  private readonly writer: EventWriter
  private readonly place: Place
  private readonly callId: string
  private readonly name: string
  private readonly identity: ToolIdentity | undefined
  private readonly custom: CustomInputReader | undefined
  private argumentsText = ''

  constructor(writer: EventWriter, place: Place, call: Omit<Call, 'arguments'>, identity?: ToolIdentity) {
    this.writer = writer
    this.place = place
    this.callId = call.callId
    this.name = call.name
    this.identity = identity
    this.custom = identity?.custom === true ? new CustomInputReader() : undefined
  }

  start(): string {
    return added(this.writer, this.place, this.snapshot('in_progress'))
  }

  arguments(delta: string): string {
    if (delta === '') return ''
    this.argumentsText += delta
    if (this.custom === undefined) return this.write('response.function_call_arguments.delta', { delta })
    const text = this.custom.push(delta)
    return text === '' ? '' : this.write('response.custom_tool_call_input.delta', { delta: text })
  }

  /** Whether the arguments are a whole JSON value: nothing but white space can follow. */
  get isComplete(): boolean {
    // An object or a string ends in one of two characters: only then is it worth parsing.
    if (!/["}]\s*$/.test(this.argumentsText.slice(-64))) return false
    try {
      JSON.parse(this.argumentsText)
      return true
    } catch {
      return false
    }
  }

  snapshot(status: ItemStatus): WireItem {
    const call = { callId: this.callId, name: this.name, arguments: this.argumentsText }
    const item = callItem(this.place.id, call, this.identity, status)
    // What the item says agrees with what was streamed, also where the arguments were cut.
    return this.custom === undefined ? item : { ...item, input: this.custom.finish(this.argumentsText).input }
  }

  close(status: ItemStatus): string {
    let frames = ''
    const item = this.snapshot(status)
    if (this.custom === undefined) {
      // What was streamed adds up to what is declared done, also for a call without arguments.
      if (this.argumentsText === '' && item.arguments !== '') {
        frames += this.write('response.function_call_arguments.delta', { delta: item.arguments })
      }
      frames += this.write('response.function_call_arguments.done', { arguments: item.arguments })
    } else {
      const { input, rest } = this.custom.finish(this.argumentsText)
      if (rest !== '') frames += this.write('response.custom_tool_call_input.delta', { delta: rest })
      frames += this.write('response.custom_tool_call_input.done', { input })
    }
    return frames + done(this.writer, this.place, item)
  }

  private write(type: string, fields: WireItem): string {
    return this.writer.write(type, {
      item_id: this.place.id,
      output_index: this.place.outputIndex,
      ...fields,
    })
  }
}
