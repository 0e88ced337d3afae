import type {
  ImagePart,
  Message,
  Part,
  ReasoningPart,
  ToolCallPart,
  ToolResultPart,
} from '../../contract/chat.ts'
import { isObject } from '../../contract/formats/chat/fields.ts'
import { toReasoningDetails } from '../../contract/formats/chat/reasoning-details.ts'
import { signatureFields } from '../../contract/formats/chat/to-reply.ts'
import { toContent, toImage } from './to-content.ts'
import { toolCallId } from './tool-call-id.ts'
import type { CompatibleTraits } from './traits.ts'
import type { Warnings } from './warnings.ts'

type WireMessage = Record<string, unknown>

/**
 * @returns the messages as the chat format has them: one per tool result, and what a result cannot hold (pictures)
 *   in a user message behind the last of them
 * @throws GatewayError `unsupported_feature` for a part that the format has no place for
 */
export function toMessages(
  messages: readonly Message[],
  traits: CompatibleTraits,
  warnings: Warnings,
): WireMessage[] {
  const wire: WireMessage[] = []
  let pictures: Record<string, unknown>[] = []
  messages.forEach((message, index) => {
    const path = `messages[${index}].content`
    if (message.role !== 'tool' && pictures.length > 0) {
      wire.push({ role: 'user', content: pictures })
      pictures = []
    }
    switch (message.role) {
      case 'system':
      case 'user': {
        const role = message.role === 'system' ? (traits.systemRole ?? 'system') : 'user'
        wire.push({ role, content: toContent(message.content, path, traits, warnings), ...nameOf(message) })
        break
      }
      case 'assistant':
        wire.push({ ...toAssistant(message.content, path, traits, warnings), ...nameOf(message) })
        break
      case 'tool':
        for (const part of message.content) {
          if (part.type !== 'tool-result') continue
          wire.push(toToolMessage(part, traits, warnings))
          pictures.push(...picturesOf(part, path, warnings))
        }
    }
  })
  if (pictures.length > 0) wire.push({ role: 'user', content: pictures })
  return wire
}

function nameOf(message: Message): { name?: string } {
  return message.name === undefined ? {} : { name: message.name }
}

function toAssistant(
  parts: readonly Part[],
  path: string,
  traits: CompatibleTraits,
  warnings: Warnings,
): WireMessage {
  let text: string | undefined
  let refusal: string | undefined
  const thoughts: ReasoningPart[] = []
  const calls: Record<string, unknown>[] = []
  const extras: Record<string, unknown> = {}
  parts.forEach((part, index) => {
    switch (part.type) {
      case 'text':
        // Texts of one answer are one text that something interrupted: joined as they were made.
        text = (text ?? '') + part.text
        break
      case 'refusal':
        refusal = (refusal ?? '') + part.text
        break
      case 'reasoning':
        thoughts.push(part)
        break
      case 'tool-call':
        calls.push(toToolCall(part, traits))
        break
      case 'other':
        if (part.format !== 'chat' || !isObject(part.raw)) {
          warnings.add(`${path}[${index}]`, 'A part that only its own format knows was left out.')
        } else if (Array.isArray(part.raw.tool_calls)) {
          calls.push(...part.raw.tool_calls.filter(isObject))
        } else Object.assign(extras, part.raw)
        break
      default:
        warnings.add(`${path}[${index}]`, `Earlier answers of type '${part.type}' cannot be sent back.`)
    }
  })
  return {
    role: 'assistant',
    // Null only where something else speaks for the message: several servers refuse an answer with neither.
    content: text ?? (calls.length > 0 || refusal !== undefined ? null : ''),
    ...(refusal === undefined ? {} : { refusal }),
    ...thoughtFields(thoughts, traits, warnings),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...extras,
  }
}

function toToolCall(part: ToolCallPart, traits: CompatibleTraits): Record<string, unknown> {
  return {
    id: toolCallId(part.id, traits),
    type: 'function',
    // Strict servers parse it, and '' is no JSON.
    function: { name: part.name, arguments: part.arguments === '' ? '{}' : part.arguments },
    ...signatureFields(part.signature),
  }
}

function thoughtFields(
  thoughts: readonly ReasoningPart[],
  traits: CompatibleTraits,
  warnings: Warnings,
): Record<string, unknown> {
  if (thoughts.length === 0) return {}
  switch (traits.reasoningField) {
    case undefined:
      warnings.add('messages', 'This provider takes no earlier thoughts back; they were left out.')
      return {}
    case 'reasoning_details':
      return { reasoning_details: thoughts.flatMap(toReasoningDetails) }
    default: {
      const text = thoughts.map((thought) => thought.text).join('')
      return text === '' ? {} : { [traits.reasoningField]: text }
    }
  }
}

function toToolMessage(part: ToolResultPart, traits: CompatibleTraits, warnings: Warnings): WireMessage {
  const texts: string[] = []
  for (const item of part.content) {
    if (item.type === 'text') texts.push(item.text)
    else if (item.type === 'file') {
      const name = item.name ?? 'without a name'
      texts.push(`[A file ${name} that cannot be shown here.]`)
      warnings.add(
        'messages',
        'Files in results of tools cannot be sent to this provider; a note stands for them.',
      )
    }
  }
  const text = texts.join('\n\n')
  return {
    role: 'tool',
    tool_call_id: toolCallId(part.callId, traits),
    // The format cannot mark a result as failed, so its text has to say it.
    content: part.isError === true && !/\b(error|fail|exception)/i.test(text) ? `Error: ${text}` : text,
  }
}

/** Tool messages hold text alone (OpenAI's API reference, read 2026-11-21). */
function picturesOf(part: ToolResultPart, path: string, warnings: Warnings): Record<string, unknown>[] {
  const images = part.content.filter((item): item is ImagePart => item.type === 'image')
  if (images.length === 0) return []
  warnings.add('messages', 'Images in results of tools were sent as a message of the user.')
  return [
    { type: 'text', text: `Images from the result of tool call ${part.callId}:` },
    ...images.map((image) => toImage(image, path)),
  ]
}
