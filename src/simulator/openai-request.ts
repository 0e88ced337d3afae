/** What the two conversation formats of OpenAI have in common on the way in. */

import type { Asked, ToolChoice, Transcript } from './conversation.ts'
import { isObject, type JsonObject, toList, toObject, toText } from './json.ts'

/** @returns the schema that the answer has to satisfy, if any */
export function readResponseFormat(format: JsonObject, named: JsonObject): Asked['answerSchema'] {
  if (format.type === 'json_schema') return toObject(named.schema)
  return format.type === 'json_object' ? 'any-json' : undefined
}

/** Chat nests the name under `function`, Responses does not; both have `allowed_tools`, which narrows the tools. */
export function readToolChoice(raw: unknown, transcript: Transcript): ToolChoice {
  if (raw === 'none' || raw === 'required') return raw
  if (!isObject(raw)) return 'auto'
  const nameOf = (item: JsonObject) => toText(toObject(item.function).name) || toText(item.name)
  if (raw.type === 'allowed_tools') {
    const allowed = isObject(raw.allowed_tools) ? raw.allowed_tools : raw
    const names = toList(allowed.tools).map((item) => nameOf(toObject(item)))
    transcript.tools = transcript.tools.filter((tool) => names.includes(tool.name))
    return allowed.mode === 'required' ? 'required' : 'auto'
  }
  const name = nameOf(raw)
  return name === '' ? 'auto' : { names: [name] }
}
