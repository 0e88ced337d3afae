import type { CallFormat } from '../pipeline/exchange.ts'
import type { ChatTraits } from '../providers/provider.ts'

/**
 * @param cap most tokens that one answer may have
 * @returns the field of the body, in the caller's format, that says so to the provider, and its value
 */
export function outputCapField(
  format: CallFormat,
  json: Readonly<Record<string, unknown>>,
  cap: number,
  { outputCapField: field = 'max_tokens' }: ChatTraits,
): readonly [name: string, value: unknown] {
  switch (format) {
    case 'responses':
      return ['max_output_tokens', cap]
    case 'gemini': {
      const name = 'generation_config' in json ? 'generation_config' : 'generationConfig'
      const config = json[name]
      const own = typeof config === 'object' && config !== null ? config : {}
      const spelled = 'max_output_tokens' in own ? 'max_output_tokens' : 'maxOutputTokens'
      return [name, { ...own, [spelled]: cap }]
    }
    case 'chat':
      // A provider that was asked by one name is not told another cap by the other.
      if ('max_completion_tokens' in json) return ['max_completion_tokens', cap]
      return ['max_tokens' in json ? 'max_tokens' : field, cap]
    default:
      return ['max_tokens', cap]
  }
}
