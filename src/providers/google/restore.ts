import type { UnmappedField } from '../../contract/chat.ts'
import type { WarningList } from './warnings.ts'

/**
 * Fields that only a Gemini request has: one that was read, changed by us and now goes back to Google gets them
 * back as they were. Names that OpenAI also has (`store`, `service_tier`) mean something else there.
 */
const OWN_TOP = /^(safety_?settings|cached_?content|labels|continuation_?token|serviceTier)$/i
const OWN_CONFIG =
  /^(generation_?config)\.(response_?modalities|speech_?config|media_?resolution|image_?config|audio_?timestamp|response_?mime_?type|response_?format|enable_?enhanced_?civic_?answers|audio_?transcription_?config|translation_?config)$/i
const OWN_THINKING = /^generation_?config\.thinking_?config\.thinking_?budget$/i
const OWN_TOOL = /^tools\[(\d+)\]\.(\w+)$/
const OWN_CALLING = /^tool_?config\.(retrieval_?config|include_?server_?side_?tool_?invocations)$/i

type Body = Record<string, unknown>

/** Puts Gemini's own fields back into the body; every other field becomes a warning. */
export function restoreUnmapped(body: Body, unmapped: readonly UnmappedField[], warnings: WarningList): void {
  for (const { path, value } of unmapped) {
    const last = path.slice(path.lastIndexOf('.') + 1)
    if (OWN_TOP.test(path)) body[path] = value
    else if (OWN_CONFIG.test(path)) child(body, 'generationConfig')[last] = value
    else if (OWN_THINKING.test(path)) child(child(body, 'generationConfig'), 'thinkingConfig')[last] = value
    else if (OWN_CALLING.test(path)) child(body, 'toolConfig')[last] = value
    else if (isGoogleTool(path)) addTool(body, last, value)
    else warnings.add(path, 'Gemini has nothing like this field; it was left out.')
  }
}

/** OpenAI's lists of tools hold `type`, `function` …; Google's name the tool itself. */
function isGoogleTool(path: string): boolean {
  const name = OWN_TOOL.exec(path)?.[2]
  return name !== undefined && /^(google|url|code|file|computer|enterprise|mcp|retrieval)/i.test(name)
}

function addTool(body: Body, name: string, value: unknown): void {
  const given = body.tools
  const tools: readonly unknown[] = Array.isArray(given) ? given : []
  body.tools = [...tools, { [name]: value }]
}

function child(parent: Body, name: string): Body {
  const given = parent[name]
  const object: Body = typeof given === 'object' && given !== null ? { ...given } : {}
  parent[name] = object
  return object
}
