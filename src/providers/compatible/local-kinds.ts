/**
 * Servers of one's own. They cost nothing a token and ask for no key unless told to. Newer versions also speak
 * Responses and Anthropic's Messages; those calls are translated, since then they work with every version.
 */

import { BEARER, type CompatibleKind, paths } from './compatible-kind.ts'

const LOCAL = {
  dialect: 'compatible',
  formats: ['chat'],
  auth: BEARER,
  keyOptional: true,
  modelsPath: '/models',
} as const

export const LOCAL_KINDS: readonly CompatibleKind[] = [
  {
    // https://docs.ollama.com/api/openai-compatibility (read 2026-11-21) lists the fields it reads.
    ...LOCAL,
    name: 'ollama',
    title: 'Ollama',
    free: true,
    baseUrl: 'http://127.0.0.1:11434/v1',
    envKeys: ['OLLAMA_API_KEY'],
    traits: { refuses: ['n', 'logit_bias', 'user', 'parallel_tool_calls'] },
    endpoints: paths('chat', 'completion', 'embedding'),
  },
  {
    // https://docs.vllm.ai/en/v0.32.0/serving/online_serving/ (read 2026-11-21).
    ...LOCAL,
    name: 'vllm',
    title: 'vLLM',
    free: true,
    baseUrl: 'http://127.0.0.1:8000/v1',
    envKeys: ['VLLM_API_KEY'],
    traits: { topK: true, reasoningField: 'reasoning' },
    endpoints: paths('chat', 'completion', 'embedding', 'rerank', 'transcription'),
  },
  {
    // https://lmstudio.ai/docs/app/api/endpoints/openai
    ...LOCAL,
    name: 'lmstudio',
    title: 'LM Studio',
    free: true,
    baseUrl: 'http://127.0.0.1:1234/v1',
    envKeys: ['LM_API_TOKEN'],
    traits: { topK: true },
    endpoints: paths('chat', 'completion', 'embedding'),
  },
  {
    // https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
    ...LOCAL,
    name: 'llamacpp',
    title: 'llama.cpp server',
    free: true,
    baseUrl: 'http://127.0.0.1:8080/v1',
    envKeys: ['LLAMA_API_KEY'],
    traits: { topK: true, reasoningField: 'reasoning_content' },
    endpoints: paths('chat', 'completion', 'embedding', 'rerank'),
  },
  {
    // https://docs.sglang.ai/basic_usage/openai_api_completions.html
    ...LOCAL,
    name: 'sglang',
    title: 'SGLang',
    free: true,
    baseUrl: 'http://127.0.0.1:30000/v1',
    envKeys: [],
    traits: { topK: true, reasoningField: 'reasoning_content' },
    endpoints: paths('chat', 'completion', 'embedding', 'rerank'),
  },
  {
    // Anything else of this shape. Nothing is known of it, so everything is offered and nothing is held back.
    ...LOCAL,
    name: 'openai-compatible',
    title: 'Any OpenAI-compatible server',
    envKeys: [],
    traits: {},
    endpoints: paths(
      'chat',
      'completion',
      'embedding',
      'moderation',
      'rerank',
      'image',
      'speech',
      'transcription',
      'file',
      'batch',
    ),
  },
]
