import { estimateTokens } from '../../../core/tokens.ts'
import type { ChatRequest, Part } from '../../chat.ts'

/**
 * An image of the largest size that is not scaled down: (width × height) / 750
 * (https://docs.claude.com/en/docs/build-with-claude/vision, read November 2026). Sound and documents are of unknown
 * length and count as much.
 */
const TOKENS_PER_MEDIUM = 1600

/** @returns about how many tokens a request has, from the lengths of its texts: cheap, and no bound in either direction */
export function estimateInput(request: ChatRequest): number {
  let textBytes = 0
  let media = 0

  function add(parts: readonly Part[]): void {
    for (const part of parts) {
      switch (part.type) {
        case 'text':
        case 'reasoning':
        case 'refusal':
          textBytes += Buffer.byteLength(part.text)
          break
        case 'tool-call':
          textBytes += Buffer.byteLength(part.name) + Buffer.byteLength(part.arguments)
          break
        case 'tool-result':
          add(part.content)
          break
        case 'image':
        case 'audio':
        case 'file':
          media++
          break
        case 'other':
          break
      }
    }
  }

  for (const message of request.messages) add(message.content)
  for (const { name, description = '', parameters } of request.tools ?? []) {
    const schema = parameters === undefined ? '' : JSON.stringify(parameters)
    textBytes += Buffer.byteLength(name) + Buffer.byteLength(description) + Buffer.byteLength(schema)
  }
  return estimateTokens(textBytes) + media * TOKENS_PER_MEDIUM
}
