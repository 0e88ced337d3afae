/**
 * Models that OpenAI serves through the Responses API and refuses in Chat Completions ("This model is only
 * supported in v1/responses and not in v1/chat/completions").
 *
 * Source: openai-node 7.55, `ResponsesModel` in `resources/shared.d.ts`, lists o1-pro, o3-pro, the deep-research
 * models, computer-use-preview, gpt-5-pro, gpt-5-codex, gpt-5.1-codex-max, gpt-5.5-pro and the research and cyber
 * models beside `ChatModel`. `codex-mini-latest` and the codex models since 5.1 were refused in Chat too
 * (https://github.com/aaif-goose/goose/issues/2564, https://github.com/tingly-dev/tingly-box/issues/233; read
 * 2026-11-21).
 */
const RESPONSES_ONLY: readonly RegExp[] = [
  /^o\d+-pro(-|$)/,
  /-deep-research(-|$)/,
  /^computer-use-preview(-|$)/,
  /^codex-/,
  /^gpt-[\d.]+-(pro|codex|cyber)(-|$)/,
  /^gpt-daybreak-/,
  /^gpt-(\d+-)?rosalind(-|$)/,
]

/** @param model the provider's name of it; a prefix such as `openai/` does not count */
export function needsResponses(model: string): boolean {
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase()
  return RESPONSES_ONLY.some((pattern) => pattern.test(name))
}

/** Families that think before they answer: only they take `include: ["reasoning.encrypted_content"]`. */
const THINKS: readonly RegExp[] = [/^o\d/, /^gpt-[5-9](?!.*-chat-latest)/, /^codex-/]

export function thinks(model: string): boolean {
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase()
  return THINKS.some((pattern) => pattern.test(name))
}
