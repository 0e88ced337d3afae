export { ConfigError } from './config/problem.ts'
export type { Config, ConfigInput } from './config/schema/config-schema.ts'
export type { Task } from './config/schema/tasks.ts'
export type {
  ChatChoice,
  ChatReply,
  FinishReason,
  Message,
  Part,
  Reasoning,
  ResponseFormat,
  StreamEvent,
  Tool,
  ToolCallPart,
  ToolChoice,
  ToolResultPart,
  Usage,
} from './contract/chat.ts'
export { mergeUsage } from './contract/chat.ts'
export type { Operation } from './contract/operation.ts'
export type { Warning } from './contract/warning.ts'
export { ERRORS, type ErrorCode, type ErrorSpec, GatewayError } from './core/errors.ts'
export type { LedgerRow } from './ledger/ports.ts'
export type { CompletionStream, Embedding } from './library/calls.ts'
export type { CallFacts, Completion } from './library/completion.ts'
export type { Extraction, ExtractRequest, JsonSchema } from './library/extract.ts'
export { createGatehouse, type Gatehouse, type GatehouseOptions } from './library/gatehouse.ts'
export type { CallOptions, CompletionRequest, EmbedRequest } from './library/requests.ts'
export type { Counts, Stats } from './library/stats.ts'
export type { Citation, Source, Synthesis, SynthesisRequest } from './library/synthesize.ts'
export type { Attempt, Exchange, Incoming, Plan } from './pipeline/exchange.ts'
export type { Outcome, Stage } from './pipeline/stage.ts'
export type { ProviderKind } from './providers/provider-kind.ts'
export type { GatewayEvents } from './telemetry/events.ts'
export type { HealthReport } from './telemetry/health.ts'
export { VERSION } from './version.ts'
