/** Providers that serve the models they make. */

import type { ModelTraits } from '../provider-kind.ts'
import { BEARER, type CompatibleKind, paths } from './compatible-kind.ts'
import type { CompatibleTraits } from './traits.ts'

/**
 * OpenAI's models that think refuse sampling settings, and those that do not refuse an effort. `gpt-5-chat` is of
 * the second sort. (https://github.com/OpenHands/software-agent-sdk/issues/1837 and
 * https://community.openai.com/t/temperature-in-gpt-5-models/1337133, read 2026-11-21.)
 */
const OPENAI_MODELS: readonly ModelTraits<CompatibleTraits>[] = [
  {
    model: /^(?:o[1-9]|gpt-(?:5|6)(?!.*-chat))/,
    traits: {
      refuses: [
        'temperature',
        'top_p',
        'presence_penalty',
        'frequency_penalty',
        'logit_bias',
        'logprobs',
        'top_logprobs',
      ],
    },
  },
  { model: /^(?:gpt-3\.5|gpt-4|chatgpt|gpt-5.*-chat)/, traits: { refuses: ['reasoning_effort'] } },
  // `stop` is not supported by these two (OpenAI's API reference in its SDK, `stop`, read 2026-11-21).
  { model: /^(?:o3|o4-mini)/, traits: { refuses: ['stop'] } },
]

/**
 * `max_tokens` is deprecated and refused by models that think (OpenAI's API reference in its SDK, `max_tokens`,
 * read 2026-11-21). Longer ids of tool calls than 40 are refused; those of other providers are longer.
 */
const OPENAI_TRAITS: CompatibleTraits = { outputCapField: 'max_completion_tokens', toolCallIdLengthMax: 40 }

export const MAKER_KINDS: readonly CompatibleKind[] = [
  {
    name: 'openai',
    title: 'OpenAI',
    dialect: 'compatible',
    formats: ['chat', 'responses'],
    auth: BEARER,
    baseUrl: 'https://api.openai.com/v1',
    envKeys: ['OPENAI_API_KEY'],
    envBaseUrls: ['OPENAI_BASE_URL'],
    basePath: '/v1',
    pricesId: 'openai',
    exampleModel: 'gpt-4o-mini',
    traits: OPENAI_TRAITS,
    traitsByModel: OPENAI_MODELS,
    endpoints: paths(
      'chat',
      'responses',
      'completion',
      'embedding',
      'moderation',
      'image',
      'speech',
      'transcription',
      'file',
      'batch',
    ),
    modelsPath: '/models',
  },
  {
    // The v1 API: no version parameter, and the deployment in `model`
    // (https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle).
    name: 'azure-openai',
    title: 'Azure OpenAI',
    dialect: 'compatible',
    formats: ['chat', 'responses'],
    auth: { header: 'api-key' },
    envKeys: ['AZURE_OPENAI_API_KEY'],
    envBaseUrls: ['AZURE_OPENAI_BASE_URL', 'AZURE_OPENAI_ENDPOINT'],
    basePath: '/openai/v1',
    pricesId: 'azure',
    traits: OPENAI_TRAITS,
    traitsByModel: OPENAI_MODELS,
    endpoints: paths(
      'chat',
      'responses',
      'completion',
      'embedding',
      'image',
      'speech',
      'transcription',
      'file',
      'batch',
    ),
    modelsPath: '/models',
  },
  {
    // Strict: a field it does not know is answered with 422. `random_seed` and `tool_choice: any` in its OpenAPI
    // (https://docs.rs/crate/mistral-openapi-client, read 2026-11-21); ids of tool calls are nine letters and
    // digits (https://github.com/anomalyco/opencode/issues/1680). Usage comes with the last chunk unasked.
    name: 'mistral',
    title: 'Mistral',
    dialect: 'compatible',
    formats: ['chat'],
    auth: BEARER,
    baseUrl: 'https://api.mistral.ai/v1',
    envKeys: ['MISTRAL_API_KEY'],
    pricesId: 'mistral',
    traits: {
      streamOptions: false,
      renames: { seed: 'random_seed' },
      toolChoiceRequired: 'any',
      toolCallIdLength: 9,
      reasoningRequest: 'none',
      dimensionsField: 'output_dimension',
      refuses: ['logit_bias', 'logprobs', 'top_logprobs', 'user', 'messages.name'],
    },
    endpoints: paths('chat', 'embedding', 'moderation', 'transcription', 'file'),
    modelsPath: '/models',
  },
  {
    // https://api-docs.deepseek.com/guides/thinking_mode (read 2026-11-21): `thinking` switches, the effort
    // degrees; thoughts of turns with tool calls have to come back, or the answer is 400. JSON mode has no schemas.
    name: 'deepseek',
    title: 'DeepSeek',
    dialect: 'compatible',
    formats: ['chat'],
    auth: BEARER,
    baseUrl: 'https://api.deepseek.com/v1',
    envKeys: ['DEEPSEEK_API_KEY'],
    pricesId: 'deepseek',
    traits: {
      plainText: true,
      reasoningField: 'reasoning_content',
      reasoningRequest: 'toggle-and-effort',
      refuses: ['response_format.json_schema', 'n', 'seed', 'logit_bias', 'parallel_tool_calls'],
    },
    endpoints: paths('chat'),
    modelsPath: '/models',
  },
  {
    // Models that think refuse penalties and `stop` (https://docs.x.ai/docs/guides/reasoning); only some take an
    // effort (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/grok/capabilities/reasoning
    // and https://docs.roocode.com/providers/xai, read 2026-11-21).
    name: 'xai',
    title: 'xAI',
    dialect: 'compatible',
    formats: ['chat', 'responses'],
    auth: BEARER,
    baseUrl: 'https://api.x.ai/v1',
    envKeys: ['XAI_API_KEY'],
    pricesId: 'x-ai',
    traits: { outputCapField: 'max_completion_tokens' },
    traitsByModel: [
      {
        model: /^grok-(?:3-mini|4|code)(?!.*non-reasoning)/,
        traits: { refuses: ['presence_penalty', 'frequency_penalty', 'stop'] },
      },
      { model: /^grok-(?:2|3(?!-mini)|4(?!\.[2-9])|code)/, traits: { refuses: ['reasoning_effort'] } },
    ],
    endpoints: paths('chat', 'responses', 'completion', 'image'),
    modelsPath: '/models',
  },
  {
    // https://docs.perplexity.ai/guides/chat-completions-guide (read 2026-11-21) lists what it takes; tools and the
    // rest of OpenAI's are not in it. Usage comes with every chunk, each count replacing the one before.
    name: 'perplexity',
    title: 'Perplexity',
    dialect: 'compatible',
    formats: ['chat'],
    auth: BEARER,
    baseUrl: 'https://api.perplexity.ai',
    envKeys: ['PERPLEXITY_API_KEY'],
    pricesId: 'perplexity',
    traits: {
      streamOptions: false,
      refuses: [
        'tools',
        'tool_choice',
        'parallel_tool_calls',
        'response_format.json_object',
        'n',
        'stop',
        'seed',
        'logprobs',
        'top_logprobs',
        'logit_bias',
        'user',
        'messages.name',
      ],
    },
    traitsByModel: [{ model: /^(?!.*(?:deep-research|reasoning))/, traits: { reasoningRequest: 'none' } }],
    endpoints: paths('chat'),
  },
  {
    // https://java.agentscope.io/v2/en/integration/model/kimi and https://www.promptfoo.dev/docs/providers/moonshot/
    // (read 2026-11-21): `kimi-*` fix their sampling, keep thoughts in the history, take no `strict`; K2 switches
    // thinking, K3 degrees it.
    name: 'moonshot',
    title: 'Moonshot AI',
    dialect: 'compatible',
    formats: ['chat'],
    auth: BEARER,
    baseUrl: 'https://api.moonshot.ai/v1',
    envKeys: ['MOONSHOT_API_KEY'],
    pricesId: 'moonshotai',
    traits: {
      outputCapField: 'max_completion_tokens',
      reasoningField: 'reasoning_content',
      refuses: ['logprobs', 'top_logprobs', 'logit_bias', 'tools.strict'],
    },
    traitsByModel: [
      {
        model: /^kimi-/,
        traits: {
          refuses: [
            'temperature',
            'top_p',
            'n',
            'presence_penalty',
            'frequency_penalty',
            'tool_choice.forced',
          ],
        },
      },
      { model: /^kimi-k2/, traits: { reasoningRequest: 'toggle' } },
      { model: /^moonshot-/, traits: { reasoningRequest: 'none' } },
    ],
    endpoints: paths('chat', 'file'),
    modelsPath: '/models',
  },
  ...zhipuKinds(),
  {
    // https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope and …/deep-thinking
    // (read 2026-11-21). This is the Singapore host; others go into `baseUrl`.
    name: 'dashscope',
    title: 'Alibaba Cloud Model Studio',
    dialect: 'compatible',
    formats: ['chat'],
    auth: BEARER,
    baseUrl: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
    envKeys: ['DASHSCOPE_API_KEY'],
    traits: { reasoningRequest: 'budget', topK: true, refuses: ['logit_bias', 'user', 'messages.name'] },
    endpoints: paths('chat', 'embedding'),
  },
  {
    // https://docs.cohere.com/docs/compatibility-api (read 2026-11-21). Its own API is another dialect.
    name: 'cohere-compat',
    title: 'Cohere (compatibility API)',
    dialect: 'compatible',
    formats: ['chat'],
    auth: BEARER,
    baseUrl: 'https://api.cohere.ai/compatibility/v1',
    envKeys: ['COHERE_API_KEY', 'CO_API_KEY'],
    pricesId: 'cohere',
    traits: {
      refuses: ['n', 'logit_bias', 'top_logprobs', 'parallel_tool_calls', 'user', 'messages.name'],
    },
    endpoints: paths('chat', 'embedding'),
  },
]

/**
 * https://java.agentscope.io/v2/en/integration/model/glm (read 2026-11-21): `tool_choice` is `auto` alone, no
 * penalties, no names, no `strict`, no `stream_options`; `max_tokens` alone. Thinking is switched, not degreed.
 */
function zhipuKinds(): CompatibleKind[] {
  const traits: CompatibleTraits = {
    streamOptions: false,
    reasoningField: 'reasoning_content',
    reasoningRequest: 'toggle',
    refuses: [
      'tool_choice.forced',
      'response_format.json_schema',
      'n',
      'logprobs',
      'top_logprobs',
      'logit_bias',
      'seed',
      'presence_penalty',
      'frequency_penalty',
      'parallel_tool_calls',
      'user',
      'messages.name',
      'tools.strict',
    ],
  }
  const shared = { dialect: 'compatible', formats: ['chat'], auth: BEARER, traits } as const
  return [
    {
      ...shared,
      name: 'zhipu',
      title: 'Zhipu AI',
      baseUrl: 'https://open.bigmodel.cn/api/paas/v4',
      envKeys: ['ZHIPUAI_API_KEY'],
      pricesId: 'zhipuai',
      endpoints: paths('chat', 'embedding', 'image', 'rerank'),
    },
    {
      ...shared,
      name: 'zai',
      title: 'Z.ai',
      baseUrl: 'https://api.z.ai/api/paas/v4',
      envKeys: ['ZAI_API_KEY'],
      pricesId: 'zai',
      endpoints: paths('chat', 'image'),
    },
  ]
}
