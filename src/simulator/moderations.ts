/** OpenAI moderations. Shape: `ModerationCreateResponse` of the `openai` package, version 7. */

import type { Call } from './call.ts'
import { toList, toObject, toText, toTexts } from './json.ts'
import { jsonReply, type SimulatedReply } from './reply.ts'

/** Words that raise a category: few and plain, so that a test knows beforehand what will be flagged. */
const CATEGORIES: Readonly<Record<string, RegExp | undefined>> = {
  harassment: /\b(idiot|loser)\b/i,
  'harassment/threatening': /\bI will hurt you\b/i,
  hate: /\bhate (them|those|all)\b/i,
  'hate/threatening': undefined,
  illicit: /\b(steal|launder)\b/i,
  'illicit/violent': /\bbuild a bomb\b/i,
  'self-harm': /\b(suicide|hurt myself)\b/i,
  'self-harm/instructions': undefined,
  'self-harm/intent': /\bkill myself\b/i,
  sexual: /\bporn\b/i,
  'sexual/minors': undefined,
  violence: /\b(kill|murder|bomb)\b/i,
  'violence/graphic': /\bgore\b/i,
}

export function answerModerations(call: Call): SimulatedReply {
  const input = call.body.input
  const parts = toList(input).filter((part) => typeof part === 'object')
  // A list of parts is one input; a list of texts is several.
  const texts =
    parts.length > 0 ? [parts.map((part) => toText(toObject(part).text)).join('\n')] : toTexts(input)
  return jsonReply({
    id: call.newId('modr-'),
    model: call.model || 'omni-moderation-latest',
    results: texts.map(judge),
  })
}

function judge(text: string): object {
  const categories: Record<string, boolean> = {}
  const scores: Record<string, number> = {}
  const types: Record<string, string[]> = {}
  for (const [name, pattern] of Object.entries(CATEGORIES)) {
    const found = pattern?.test(text) ?? false
    categories[name] = found
    scores[name] = found ? 0.98 : 0.0001
    types[name] = ['text']
  }
  return {
    flagged: Object.values(categories).includes(true),
    categories,
    category_scores: scores,
    category_applied_input_types: types,
  }
}
