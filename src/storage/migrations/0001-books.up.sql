-- Who calls, what each call cost, and the sums of both.
--
-- Identifiers compare as bytes (COLLATE "C"): faster, and the same order on every machine. Moments have
-- milliseconds, as JavaScript's do, so that a cursor finds its row again.

CREATE TABLE organizations (
  id text COLLATE "C" PRIMARY KEY,
  name text NOT NULL,
  slug text COLLATE "C" NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- Set instead of removing the row: statements of past months still name the organization.
  deleted_at timestamptz(3)
);
CREATE UNIQUE INDEX organizations_slug ON organizations (slug) WHERE deleted_at IS NULL;
CREATE INDEX organizations_created ON organizations (created_at, id);

CREATE TABLE teams (
  id text COLLATE "C" PRIMARY KEY,
  organization_id text COLLATE "C" NOT NULL REFERENCES organizations (id),
  name text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  deleted_at timestamptz(3),
  UNIQUE (organization_id, id)
);
CREATE UNIQUE INDEX teams_name ON teams (organization_id, name) WHERE deleted_at IS NULL;

-- End users, as callers name them. They appear with their first call.
CREATE TABLE users (
  id text COLLATE "C" NOT NULL,
  organization_id text COLLATE "C" NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organization_id, id)
);

CREATE TABLE api_keys (
  id text COLLATE "C" PRIMARY KEY,
  organization_id text COLLATE "C" NOT NULL REFERENCES organizations (id),
  team_id text COLLATE "C",
  name text NOT NULL,
  hash text COLLATE "C" NOT NULL CONSTRAINT api_keys_hash UNIQUE,
  prefix text NOT NULL,
  user_id text,
  models text[],
  scopes text[] NOT NULL DEFAULT '{}',
  ip_allow text[],
  expires_at timestamptz(3),
  revoked_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- Kept by a trigger, for replicas that cannot hear notifications.
  updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id)
);
CREATE INDEX api_keys_organization ON api_keys (organization_id, created_at, id);
CREATE INDEX api_keys_updated ON api_keys (updated_at);
CREATE INDEX api_keys_team ON api_keys (team_id) WHERE team_id IS NOT NULL;

CREATE FUNCTION gatehouse_touch_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER api_keys_touch BEFORE INSERT OR UPDATE ON api_keys
  FOR EACH ROW EXECUTE FUNCTION gatehouse_touch_key();

-- Every change of a key is heard by every replica, also one made by hand. Nothing names a key that is gone, so
-- a removal says '*': read all again.
CREATE FUNCTION gatehouse_notify_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.id = OLD.id) THEN
    PERFORM pg_notify('gatehouse_keys', NEW.id);
  ELSE
    PERFORM pg_notify('gatehouse_keys', '*');
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER api_keys_notify AFTER INSERT OR UPDATE OR DELETE ON api_keys
  FOR EACH ROW EXECUTE FUNCTION gatehouse_notify_key();
CREATE TRIGGER api_keys_notify_truncate AFTER TRUNCATE ON api_keys
  FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_notify_key();

CREATE TABLE settings (
  name text COLLATE "C" PRIMARY KEY,
  value jsonb NOT NULL,
  updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);

-- One row per settled attempt. Partitions by month are made ahead (partitions.ts) and dropped whole; a row of a
-- month without one lands in the default partition, so that none is ever lost.
CREATE TABLE ledger (
  id text COLLATE "C" NOT NULL,
  request_id text COLLATE "C" NOT NULL,
  attempt integer NOT NULL,
  final boolean NOT NULL,
  organization_id text COLLATE "C" NOT NULL,
  team_id text COLLATE "C",
  key_id text COLLATE "C",
  user_id text COLLATE "C",
  session_id text COLLATE "C",
  tags jsonb NOT NULL,
  provider text COLLATE "C",
  model text COLLATE "C",
  requested_model text COLLATE "C",
  operation text COLLATE "C" NOT NULL,
  task text COLLATE "C",
  format text COLLATE "C" NOT NULL,
  stream boolean NOT NULL,
  status integer NOT NULL,
  error_code text COLLATE "C",
  tokens_input bigint,
  tokens_output bigint,
  tokens_cached bigint,
  tokens_cache_write bigint,
  tokens_reasoning bigint,
  cost_nano_usd bigint NOT NULL,
  price_version text COLLATE "C",
  estimated boolean NOT NULL,
  cache text COLLATE "C" NOT NULL,
  latency_ms double precision NOT NULL,
  first_token_ms double precision,
  overhead_ms double precision NOT NULL,
  -- Only ever read whole: json is stored as it comes, and faster than jsonb.
  waterfall json,
  created_at timestamptz(3) NOT NULL,
  PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ledger_request ON ledger (request_id);
CREATE INDEX ledger_organization ON ledger (organization_id, created_at, id);
CREATE INDEX ledger_created ON ledger (created_at, id);
CREATE TABLE ledger_default PARTITION OF ledger DEFAULT;

-- Sums per hour and per day (UTC) that are written together with the rows. `dimension_key` is a digest of the
-- dimensions (usage-rollup.ts): one narrow unique index instead of one over seven texts that may be null. End users,
-- sessions and tags are no dimension: there may be as many of them as calls, and sums of one row each help nobody.
--
-- `latency_histogram` counts final rows by latency, bucket n up to and including the n-th of these milliseconds,
-- the last one all above: 1, 2, 5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 3000, 4000, 5000, 7500, 10000, 15000, 20000, 30000, 60000, 120000, 300000.
CREATE TABLE usage_hourly (
  period_start timestamptz(3) NOT NULL,
  dimension_key uuid NOT NULL,
  organization_id text COLLATE "C" NOT NULL,
  team_id text COLLATE "C",
  key_id text COLLATE "C",
  provider text COLLATE "C",
  model text COLLATE "C",
  operation text COLLATE "C" NOT NULL,
  task text COLLATE "C",
  requests bigint NOT NULL,
  errors bigint NOT NULL,
  cache_hits bigint NOT NULL,
  estimated bigint NOT NULL,
  tokens_input bigint NOT NULL,
  tokens_output bigint NOT NULL,
  tokens_cached bigint NOT NULL,
  cost_nano_usd bigint NOT NULL,
  latency_ms_sum double precision NOT NULL,
  latency_histogram integer[] NOT NULL,
  PRIMARY KEY (period_start, dimension_key)
) WITH (fillfactor = 70);
CREATE INDEX usage_hourly_organization ON usage_hourly (organization_id, period_start);

CREATE TABLE usage_daily (
  period_start timestamptz(3) NOT NULL,
  dimension_key uuid NOT NULL,
  organization_id text COLLATE "C" NOT NULL,
  team_id text COLLATE "C",
  key_id text COLLATE "C",
  provider text COLLATE "C",
  model text COLLATE "C",
  operation text COLLATE "C" NOT NULL,
  task text COLLATE "C",
  requests bigint NOT NULL,
  errors bigint NOT NULL,
  cache_hits bigint NOT NULL,
  estimated bigint NOT NULL,
  tokens_input bigint NOT NULL,
  tokens_output bigint NOT NULL,
  tokens_cached bigint NOT NULL,
  cost_nano_usd bigint NOT NULL,
  latency_ms_sum double precision NOT NULL,
  latency_histogram integer[] NOT NULL,
  PRIMARY KEY (period_start, dimension_key)
) WITH (fillfactor = 70);
CREATE INDEX usage_daily_organization ON usage_daily (organization_id, period_start);

CREATE FUNCTION gatehouse_add_histograms(a integer[], b integer[]) RETURNS integer[]
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ARRAY[
    a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5], a[6] + b[6], a[7] + b[7], a[8] + b[8],
    a[9] + b[9], a[10] + b[10], a[11] + b[11], a[12] + b[12], a[13] + b[13], a[14] + b[14], a[15] + b[15],
    a[16] + b[16], a[17] + b[17], a[18] + b[18], a[19] + b[19], a[20] + b[20], a[21] + b[21],
    a[22] + b[22], a[23] + b[23], a[24] + b[24], a[25] + b[25], a[26] + b[26], a[27] + b[27],
    a[28] + b[28], a[29] + b[29], a[30] + b[30]
  ]
$$;

-- The latency in milliseconds below which the given share of a histogram lies, straight between the bounds of its
-- bucket; null for an empty one.
CREATE FUNCTION gatehouse_latency_percentile(histogram bigint[], share double precision)
  RETURNS double precision LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  bounds constant double precision[] := ARRAY[
    1, 2, 5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 3000, 4000, 5000,
    7500, 10000, 15000, 20000, 30000, 60000, 120000, 300000
  ];
  total double precision := 0;
  reached double precision := 0;
  lower double precision := 0;
  upper double precision;
  bucket bigint;
BEGIN
  FOREACH bucket IN ARRAY histogram LOOP
    total := total + bucket;
  END LOOP;
  IF total = 0 THEN
    RETURN NULL;
  END IF;
  FOR n IN 1 .. array_length(histogram, 1) LOOP
    upper := bounds[least(n, array_length(bounds, 1))];
    IF histogram[n] > 0 AND reached + histogram[n] >= share * total THEN
      RETURN lower + (upper - lower) * (share * total - reached) / histogram[n];
    END IF;
    reached := reached + histogram[n];
    lower := upper;
  END LOOP;
  RETURN upper;
END $$;

-- What operators and their tools query. Dollars here are numeric and exact to the nano-dollar.
CREATE VIEW ai_usage_metrics WITH (security_invoker = true) AS
SELECT
  id,
  organization_id,
  provider,
  model,
  operation,
  coalesce(tokens_input, 0) AS tokens_input,
  coalesce(tokens_output, 0) AS tokens_output,
  coalesce(tokens_input, 0) + coalesce(tokens_output, 0) AS tokens_total,
  cost_nano_usd * 0.000000001 AS estimated_cost,
  request_id,
  user_id,
  session_id,
  round(latency_ms)::bigint AS latency_ms,
  jsonb_strip_nulls(jsonb_build_object(
    'attempt', attempt, 'final', final, 'status', status, 'errorCode', error_code, 'teamId', team_id,
    'keyId', key_id, 'task', task, 'cache', cache, 'estimated', estimated, 'priceVersion', price_version
  )) || tags AS metadata,
  created_at
FROM ledger;

CREATE VIEW ai_usage_daily WITH (security_invoker = true) AS
SELECT
  organization_id,
  provider,
  model,
  (period_start AT TIME ZONE 'UTC')::date AS usage_date,
  sum(requests)::bigint AS request_count,
  sum(tokens_input)::bigint AS total_tokens_input,
  sum(tokens_output)::bigint AS total_tokens_output,
  sum(tokens_input + tokens_output)::bigint AS total_tokens,
  sum(cost_nano_usd) * 0.000000001 AS total_cost,
  round((sum(latency_ms_sum) / nullif(sum(requests), 0))::numeric, 3) AS avg_latency_ms,
  round(gatehouse_latency_percentile(
    ARRAY[
      sum(latency_histogram[1]), sum(latency_histogram[2]), sum(latency_histogram[3]),
      sum(latency_histogram[4]), sum(latency_histogram[5]), sum(latency_histogram[6]),
      sum(latency_histogram[7]), sum(latency_histogram[8]), sum(latency_histogram[9]),
      sum(latency_histogram[10]), sum(latency_histogram[11]), sum(latency_histogram[12]),
      sum(latency_histogram[13]), sum(latency_histogram[14]), sum(latency_histogram[15]),
      sum(latency_histogram[16]), sum(latency_histogram[17]), sum(latency_histogram[18]),
      sum(latency_histogram[19]), sum(latency_histogram[20]), sum(latency_histogram[21]),
      sum(latency_histogram[22]), sum(latency_histogram[23]), sum(latency_histogram[24]),
      sum(latency_histogram[25]), sum(latency_histogram[26]), sum(latency_histogram[27]),
      sum(latency_histogram[28]), sum(latency_histogram[29]), sum(latency_histogram[30])
    ]::bigint[],
    0.95
  )::numeric, 3) AS p95_latency_ms
FROM usage_daily
GROUP BY organization_id, provider, model, period_start;

-- Row-level security stands behind the code. With the setting gatehouse.organization_id, everybody sees the rows
-- of that organization alone; without it, whoever may read a table sees all of it, except the role
-- gatehouse_tenant, which then sees nothing. FORCE binds the owner of the tables too.
ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON organizations USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE id = (SELECT current_setting('gatehouse.organization_id', true)) END);
ALTER TABLE teams ENABLE ROW LEVEL SECURITY;
ALTER TABLE teams FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON teams USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON users USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON api_keys USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON ledger USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);
ALTER TABLE usage_hourly ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_hourly FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON usage_hourly USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);
ALTER TABLE usage_daily ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_daily FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON usage_daily USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);

-- Not every hosted database lets its user create roles; without this one the setting alone does the work.
DO $$
BEGIN
  CREATE ROLE gatehouse_tenant NOLOGIN;
EXCEPTION
  WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
END $$;
DO $$
BEGIN
  GRANT gatehouse_tenant TO CURRENT_USER;
  GRANT SELECT ON organizations, teams, users, ledger, usage_hourly, usage_daily,
    ai_usage_metrics, ai_usage_daily TO gatehouse_tenant;
  -- All but the hash.
  GRANT SELECT (id, organization_id, team_id, name, prefix, user_id, models, scopes, ip_allow, expires_at,
    revoked_at, created_at, updated_at) ON api_keys TO gatehouse_tenant;
EXCEPTION
  WHEN undefined_object OR insufficient_privilege THEN NULL;
END $$;
