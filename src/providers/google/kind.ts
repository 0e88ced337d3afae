import type { ProviderKind } from '../provider-kind.ts'
import { type GoogleTraits, LEVELS, THINKING_DEFAULT } from './traits.ts'

/** Google's Gemini API, `generativelanguage.googleapis.com`. */
export const googleKind: ProviderKind<GoogleTraits> = {
  name: 'google',
  title: 'Google Gemini',
  dialect: 'gemini',
  formats: ['gemini'],
  auth: { header: 'x-goog-api-key' },
  baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
  basePath: '/v1beta',
  basePathAlways: true,
  envKeys: ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
  envBaseUrls: ['GOOGLE_GEMINI_BASE_URL'],
  pricesId: 'google',
  exampleModel: 'gemini-2.5-flash',
  traits: { thinking: THINKING_DEFAULT },
  // Levels: the pages of the models under https://docs.cloud.google.com/gemini-enterprise-agent-platform/models;
  // budgets: https://ai.google.dev/gemini-api/docs/thinking (2.5 Pro cannot stop thinking); penalties:
  // https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/gemini/3-5-flash-lite (read 2026-11-21).
  traitsByModel: [
    { model: /^(gemini-(1|2\.0)|gemma|learnlm)/, traits: { thinking: { control: 'none' } } },
    { model: /^gemini-2\.5/, traits: { thinking: { control: 'budget', tokensMin: 0 } } },
    { model: /^gemini-2\.5-pro/, traits: { thinking: { control: 'budget', tokensMin: 128 } } },
    {
      model: /^gemini-3(\.[15])?-flash/,
      traits: { thinking: { control: 'level', levels: ['minimal', ...LEVELS] } },
    },
    {
      model: /^gemini-3\.5-flash-lite/,
      traits: { refuses: ['generationConfig.presencePenalty', 'generationConfig.frequencyPenalty'] },
    },
  ],
  endpoints: {
    gemini: '/models/{model}:generateContent',
    chat: '/models/{model}:generateContent',
    embedding: '/models/{model}:batchEmbedContents',
    'token-count': '/models/{model}:countTokens',
  },
  modelsPath: '/models',
}
