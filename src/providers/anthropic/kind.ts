import type { ProviderKind } from '../provider-kind.ts'
import { type AnthropicTraits, CLAUDE_TRAITS } from './traits.ts'

export const anthropicKind: ProviderKind<AnthropicTraits> = {
  name: 'anthropic',
  title: 'Anthropic',
  dialect: 'anthropic',
  formats: ['messages'],
  auth: { header: 'x-api-key' },
  staticHeaders: { 'anthropic-version': '2023-06-01' },
  baseUrl: 'https://api.anthropic.com/v1',
  basePath: '/v1',
  basePathAlways: true,
  envKeys: ['ANTHROPIC_API_KEY'],
  envBaseUrls: ['ANTHROPIC_BASE_URL'],
  pricesId: 'anthropic',
  exampleModel: 'claude-sonnet-4-5',
  traits: { outputTokensDefault: 4096 },
  traitsByModel: CLAUDE_TRAITS,
  endpoints: {
    chat: '/messages',
    messages: '/messages',
    'token-count': '/messages/count_tokens',
    batch: '/messages/batches',
    file: '/files',
  },
  modelsPath: '/models',
}
