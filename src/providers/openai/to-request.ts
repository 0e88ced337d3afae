import type { ChatRequest, Reasoning, ResponseFormat } from '../../contract/chat.ts'
import { isResponsesRequest } from '../../contract/formats/responses/responses-request.ts'
import type { ToolIdentity } from '../../contract/formats/responses/tool-identity.ts'
import { GatewayError } from '../../core/errors.ts'
import type { ChatTarget, Warning, WireRequest } from '../provider.ts'
import { thinks } from './models.ts'
import { restoreUnmapped } from './restore-unmapped.ts'
import { type ItemContext, toItems } from './to-items.ts'
import { toToolChoice, toTools } from './to-tools.ts'

/**
 * Writes the body of `POST /responses`. Nothing is stored at OpenAI (`store: false`), so thoughts come back
 * encrypted and the conversation is sent whole each time.
 *
 * @throws GatewayError `unsupported_feature` for `n`, `stop` and `logit_bias`, which this API does not have and
 *   which decide what the answer is
 */
export function toRequest(request: ChatRequest, target: ChatTarget): WireRequest {
  refuseUnsupported(request)
  const warnings: Warning[] = []
  const identities: readonly ToolIdentity[] = isResponsesRequest(request) ? request.responses.tools : []
  const context: ItemContext = {
    identities,
    systemRole: target.traits.systemRole ?? 'developer',
    speaksResponses: isResponsesRequest(request),
    warnings,
  }
  const { instructions, input } = toItems(request.messages, context)
  const include = includeOf(request, target.model)
  const tools = toTools(request, identities)
  const body: Record<string, unknown> = {
    model: target.model,
    ...(instructions === undefined ? {} : { instructions }),
    input,
    ...(tools.length === 0 ? {} : { tools }),
    ...(request.toolChoice === undefined
      ? {}
      : { tool_choice: toToolChoice(request.toolChoice, identities) }),
    ...optional('parallel_tool_calls', request.parallelToolCalls),
    ...optional('text', toText(request.responseFormat)),
    ...optional('reasoning', toReasoning(request.reasoning, warnings)),
    ...optional('max_output_tokens', request.outputTokensMax),
    ...optional('temperature', request.temperature),
    ...optional('top_p', request.topP),
    ...optional('top_logprobs', request.logprobs === true ? request.topLogprobs : undefined),
    ...optional(userField(request), request.user),
    ...optional('metadata', toMetadata(request.metadata, warnings)),
    ...(include.length === 0 ? {} : { include }),
    store: false,
    ...(request.stream ? { stream: true } : {}),
  }
  warnOfIgnored(request, warnings)
  restoreUnmapped(request, body, warnings)
  leaveOutRefused(body, target.traits.refuses ?? [], warnings)
  return { path: '/responses', body, warnings }
}

/** The end user goes out under the name it came in by. */
function userField(request: ChatRequest): 'user' | 'safety_identifier' {
  if (!isResponsesRequest(request)) return 'user'
  const { user, safety_identifier: newer } = request.responses.settings
  return typeof user !== 'string' && typeof newer === 'string' ? 'safety_identifier' : 'user'
}

function refuseUnsupported(request: ChatRequest): void {
  const refuse = (param: string): never => {
    throw new GatewayError('unsupported_feature', {
      message: `This model is served by the OpenAI Responses API, which has no \`${param}\`; leaving it out would change the answer.`,
      param,
    })
  }
  if ((request.n ?? 1) > 1) refuse('n')
  if ((request.stop?.length ?? 0) > 0) refuse('stop')
  if (Object.keys(request.logitBias ?? {}).length > 0) refuse('logit_bias')
}

const IGNORED = [
  ['topK', 'top_k'],
  ['seed', 'seed'],
  ['presencePenalty', 'presence_penalty'],
  ['frequencyPenalty', 'frequency_penalty'],
] as const satisfies readonly (readonly [keyof ChatRequest, string])[]

function warnOfIgnored(request: ChatRequest, warnings: Warning[]): void {
  for (const [field, param] of IGNORED) {
    if (request[field] === undefined) continue
    warnings.push({ param, message: `The OpenAI Responses API has no ${param}; it was left out.` })
  }
}

function includeOf(request: ChatRequest, model: string): string[] {
  const include: string[] = []
  const effort = request.reasoning?.effort
  const isAsked = request.reasoning !== undefined && effort !== 'none'
  // Models that do not think refuse to encrypt thoughts, so it is asked for only where there are some.
  if (isAsked || (effort === undefined && thinks(model))) include.push('reasoning.encrypted_content')
  if (request.logprobs === true) include.push('message.output_text.logprobs')
  return include
}

function toText(format: ResponseFormat | undefined): Record<string, unknown> | undefined {
  if (format === undefined) return undefined
  if (format.type === 'text') return { format: { type: 'text' } }
  if (format.type === 'json') return { format: { type: 'json_object' } }
  return {
    format: {
      type: 'json_schema',
      name: format.name,
      schema: format.schema,
      ...optional('description', format.description),
      ...optional('strict', format.strict),
    },
  }
}

/** Budgets at which Anthropic's and Gemini's scale in tokens becomes the next step of OpenAI's scale in words. */
const MEDIUM_FROM_TOKENS = 4096
const HIGH_FROM_TOKENS = 16_384

function toReasoning(
  reasoning: Reasoning | undefined,
  warnings: Warning[],
): Record<string, unknown> | undefined {
  if (reasoning === undefined) return undefined
  const effort = reasoning.effort ?? effortOf(reasoning.budgetTokens, warnings)
  const fields = { ...optional('effort', effort), ...optional('summary', reasoning.summary) }
  return Object.keys(fields).length === 0 ? undefined : fields
}

function effortOf(budgetTokens: number | undefined, warnings: Warning[]): string | undefined {
  if (budgetTokens === undefined) return undefined
  const effort =
    budgetTokens >= HIGH_FROM_TOKENS ? 'high' : budgetTokens >= MEDIUM_FROM_TOKENS ? 'medium' : 'low'
  warnings.push({
    param: 'reasoning',
    message: `The OpenAI Responses API has no thinking budget in tokens; ${budgetTokens} became effort ${effort}.`,
  })
  return effort
}

/** OpenAI takes strings only. */
function toMetadata(
  metadata: Readonly<Record<string, unknown>> | undefined,
  warnings: Warning[],
): Record<string, string> | undefined {
  if (metadata === undefined) return undefined
  const texts: [string, string][] = []
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value === 'string') texts.push([name, value])
    else {
      warnings.push({
        param: `metadata.${name}`,
        message: 'OpenAI takes only text in metadata; it was left out.',
      })
    }
  }
  return texts.length === 0 ? undefined : Object.fromEntries(texts)
}

/** Takes out what the provider refuses: a field, or one field of an object (`reasoning.summary`). */
function leaveOutRefused(
  body: Record<string, unknown>,
  refused: readonly string[],
  warnings: Warning[],
): void {
  for (const path of refused) {
    const dot = path.indexOf('.')
    const holder = dot < 0 ? body : body[path.slice(0, dot)]
    const field = path.slice(dot + 1)
    if (typeof holder !== 'object' || holder === null || !(field in holder)) continue
    if (dot < 0) delete body[field]
    else {
      const rest: Record<string, unknown> = { ...holder }
      delete rest[field]
      body[path.slice(0, dot)] = rest
    }
    warnings.push({ param: path, message: `This model does not take ${path}; it was left out.` })
  }
}

function optional(field: string, value: unknown): Record<string, unknown> {
  return value === undefined ? {} : { [field]: value }
}
