import type { ColumnType, Generated } from 'kysely'

/** A moment: read as Date, written as Date or ISO text. */
type Moment = ColumnType<Date, Date | string, Date | string>
type MomentWithDefault = ColumnType<Date, Date | string | undefined, Date | string>
/** Written as JSON text. */
type Json<Value> = ColumnType<Value, string, string>

interface OrganizationsTable {
  id: string
  name: string
  slug: string
  created_at: MomentWithDefault
  deleted_at: ColumnType<Date | null, Date | null | undefined, Date | null>
}

interface TeamsTable {
  id: string
  organization_id: string
  name: string
  created_at: MomentWithDefault
  deleted_at: ColumnType<Date | null, Date | null | undefined, Date | null>
}

interface UsersTable {
  id: string
  organization_id: string
  created_at: MomentWithDefault
}

interface ApiKeysTable {
  id: string
  organization_id: string
  team_id: string | null
  name: string
  hash: string
  prefix: string
  user_id: string | null
  models: string[] | null
  scopes: Generated<string[]>
  ip_allow: string[] | null
  expires_at: Date | null
  revoked_at: ColumnType<Date | null, Date | null | undefined, Date | null>
  created_at: MomentWithDefault
  updated_at: MomentWithDefault
}

interface SettingsTable {
  name: string
  value: Json<unknown>
  updated_at: MomentWithDefault
}

interface LedgerTable {
  id: string
  request_id: string
  attempt: number
  final: boolean
  organization_id: string
  team_id: string | null
  key_id: string | null
  user_id: string | null
  session_id: string | null
  tags: Json<Record<string, string>>
  provider: string | null
  model: string | null
  requested_model: string | null
  operation: string
  task: string | null
  format: string
  stream: boolean
  status: number
  error_code: string | null
  tokens_input: number | null
  tokens_output: number | null
  tokens_cached: number | null
  tokens_cache_write: number | null
  tokens_reasoning: number | null
  cost_nano_usd: number
  price_version: string | null
  estimated: boolean
  cache: string
  latency_ms: number
  first_token_ms: number | null
  overhead_ms: number
  waterfall: Json<unknown>
  created_at: Moment
}

/** `usage_hourly` and `usage_daily`: sums per period and dimensions. */
interface RollupTable {
  period_start: Moment
  dimension_key: string
  organization_id: string
  team_id: string | null
  key_id: string | null
  provider: string | null
  model: string | null
  operation: string
  task: string | null
  requests: number
  errors: number
  cache_hits: number
  estimated: number
  tokens_input: number
  tokens_output: number
  tokens_cached: number
  cost_nano_usd: number
  latency_ms_sum: number
  latency_histogram: number[]
}

interface AiUsageMetricsView {
  id: string
  organization_id: string
  provider: string | null
  model: string | null
  operation: string
  tokens_input: number
  tokens_output: number
  tokens_total: number
  /** Dollars, decimal. */
  estimated_cost: string
  request_id: string
  user_id: string | null
  session_id: string | null
  latency_ms: number
  metadata: Record<string, unknown>
  created_at: Date
}

interface AiUsageDailyView {
  organization_id: string
  provider: string | null
  model: string | null
  /** `YYYY-MM-DD`. */
  usage_date: string
  request_count: number
  total_tokens_input: number
  total_tokens_output: number
  total_tokens: number
  /** Dollars, decimal. */
  total_cost: string
  avg_latency_ms: string | null
  p95_latency_ms: string | null
}

interface LimitsTable {
  organization_id: string
  scope: string
  subject: Generated<string>
  requests_per_minute: number | null
  tokens_per_minute: number | null
  tokens_per_hour: number | null
  cost_per_day_nano_usd: number | null
  concurrent_requests: number | null
  queue_ms: number | null
  queue_max: number | null
  fail_closed: Generated<boolean>
  updated_at: MomentWithDefault
}

interface BudgetsTable {
  organization_id: string
  scope: string
  subject: Generated<string>
  limit_nano_usd: number | null
  hard_limit: Generated<boolean>
  alert_at: Generated<number[]>
  period: Generated<string>
  period_start: ColumnType<Date | null, Date | null | undefined, Date | null>
  period_end: ColumnType<Date | null, Date | null | undefined, Date | null>
  updated_at: MomentWithDefault
}

interface PolicyChangesTable {
  changed_at: MomentWithDefault
  organization_id: string
  scope: string
  subject: string
}

/** Amounts are decimals: those of `cost_per_day` are dollars. */
interface AiRateLimitsView {
  organization_id: string
  limit_type: string
  limit_value: string | null
  current_value: string | null
  window_start: Date | null
  window_duration: unknown
  updated_at: Date
}

interface AiBudgetsView {
  organization_id: string
  /** Dollars, decimal. */
  monthly_limit_usd: string | null
  current_spend_usd: string
  alert_threshold: string | null
  hard_limit: boolean
  billing_period_start: Date
  billing_period_end: Date
}

interface AuditLogsView {
  id: string
  organization_id: string
  action: string
  error_code: string
  request_id: string
  team_id: string | null
  key_id: string | null
  user_id: string | null
  requested_model: string | null
  operation: string
  created_at: Date
}

interface SchemaMigrationsTable {
  version: number
  name: string
  checksum: string
  applied_at: MomentWithDefault
}

/** Tables and views as the migrations make them, for Kysely. */
export interface Schema {
  organizations: OrganizationsTable
  teams: TeamsTable
  users: UsersTable
  api_keys: ApiKeysTable
  settings: SettingsTable
  ledger: LedgerTable
  usage_hourly: RollupTable
  usage_daily: RollupTable
  ai_usage_metrics: AiUsageMetricsView
  ai_usage_daily: AiUsageDailyView
  limits: LimitsTable
  budgets: BudgetsTable
  policy_changes: PolicyChangesTable
  ai_rate_limits: AiRateLimitsView
  ai_budgets: AiBudgetsView
  audit_logs: AuditLogsView
  schema_migrations: SchemaMigrationsTable
}
