-- What may be used and spent: by an organization, a team, a key, an end user, or whatever carries a tag.

-- The largest whole number that a double holds exactly: what counters count up to.
CREATE DOMAIN gatehouse_count AS bigint CHECK (VALUE BETWEEN 0 AND 9007199254740991);

CREATE TABLE limits (
  organization_id text COLLATE "C" NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  scope text COLLATE "C" NOT NULL CHECK (scope IN ('organization', 'team', 'key', 'user', 'tag')),
  -- Empty for the organization itself; the id of a team or key; a user as callers name them; a tag as name=value.
  subject text COLLATE "C" NOT NULL DEFAULT '',
  -- null = no limit.
  requests_per_minute gatehouse_count,
  tokens_per_minute gatehouse_count,
  tokens_per_hour gatehouse_count,
  cost_per_day_nano_usd gatehouse_count,
  concurrent_requests gatehouse_count,
  -- How long, and how many, calls wait at a limit; null = none does.
  queue_ms integer CHECK (queue_ms >= 0),
  queue_max integer CHECK (queue_max > 0),
  fail_closed boolean NOT NULL DEFAULT false,
  updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organization_id, scope, subject),
  CHECK ((scope = 'organization') = (subject = '')),
  CHECK ((queue_ms IS NULL) = (queue_max IS NULL))
);

-- False unless each share is above 0, at most 10, and above the one before it.
CREATE FUNCTION gatehouse_is_rising(shares double precision[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(bool_and(share > 0 AND share <= 10 AND (before IS NULL OR share > before)), true)
  FROM (SELECT share, lag(share) OVER (ORDER BY place) AS before
    FROM unnest(shares) WITH ORDINALITY AS each (share, place)) AS pairs
$$;

CREATE TABLE budgets (
  organization_id text COLLATE "C" NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  scope text COLLATE "C" NOT NULL CHECK (scope IN ('organization', 'team', 'key', 'user', 'tag')),
  subject text COLLATE "C" NOT NULL DEFAULT '',
  -- In one period; null = no limit.
  limit_nano_usd gatehouse_count,
  -- Whether calls beyond it are refused, or only reported.
  hard_limit boolean NOT NULL DEFAULT true,
  alert_at double precision[] NOT NULL DEFAULT '{0.8,1}'
    CHECK (coalesce(array_ndims(alert_at), 1) = 1 AND cardinality(alert_at) <= 16
      AND array_position(alert_at, NULL) IS NULL AND gatehouse_is_rising(alert_at)),
  period text COLLATE "C" NOT NULL DEFAULT 'month'
    CHECK (period IN ('day', 'week', 'month', 'quarter', 'year', 'custom')),
  -- Of a custom period, the first of its kind: the next ones follow, each as long.
  period_start timestamptz(3),
  period_end timestamptz(3),
  updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organization_id, scope, subject),
  CHECK ((scope = 'organization') = (subject = '')),
  CHECK (CASE WHEN period = 'custom' THEN period_start IS NOT NULL AND period_end IS NOT NULL
    AND period_end >= period_start + interval '1 minute' ELSE period_start IS NULL AND period_end IS NULL END)
);

-- What changed in the last hour, for replicas that cannot hear notifications: they ask once a second. Rows that are
-- gone are named here too.
CREATE TABLE policy_changes (
  changed_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  organization_id text COLLATE "C" NOT NULL,
  scope text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL
);
CREATE INDEX policy_changes_at ON policy_changes (changed_at);

CREATE FUNCTION gatehouse_touch_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER limits_touch BEFORE INSERT OR UPDATE ON limits
  FOR EACH ROW EXECUTE FUNCTION gatehouse_touch_policy();
CREATE TRIGGER budgets_touch BEFORE INSERT OR UPDATE ON budgets
  FOR EACH ROW EXECUTE FUNCTION gatehouse_touch_policy();

-- Whoever it is set on, as a JSON array; '*' = read all again, where that is longer than a notification may be
-- (8000 bytes: https://www.postgresql.org/docs/15/sql-notify.html).
CREATE FUNCTION gatehouse_announce_policy(organization_id text, scope text, subject text) RETURNS void
  LANGUAGE plpgsql AS $$
DECLARE
  payload constant text := json_build_array(organization_id, scope, subject)::text;
BEGIN
  INSERT INTO policy_changes (organization_id, scope, subject) VALUES (organization_id, scope, subject);
  PERFORM pg_notify('gatehouse_policies', CASE WHEN octet_length(payload) < 7900 THEN payload ELSE '*' END);
END $$;

-- Every change is heard by every replica, also one made by hand.
CREATE FUNCTION gatehouse_notify_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR (OLD.organization_id, OLD.scope, OLD.subject)
    IS DISTINCT FROM (NEW.organization_id, NEW.scope, NEW.subject)) THEN
    PERFORM gatehouse_announce_policy(OLD.organization_id, OLD.scope, OLD.subject);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    PERFORM gatehouse_announce_policy(NEW.organization_id, NEW.scope, NEW.subject);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER limits_notify AFTER INSERT OR UPDATE OR DELETE ON limits
  FOR EACH ROW EXECUTE FUNCTION gatehouse_notify_policy();
CREATE TRIGGER budgets_notify AFTER INSERT OR UPDATE OR DELETE ON budgets
  FOR EACH ROW EXECUTE FUNCTION gatehouse_notify_policy();

-- Some at a time, and never those that another transaction is removing.
CREATE FUNCTION gatehouse_forget_policy_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM policy_changes WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM policy_changes WHERE changed_at < clock_timestamp() - interval '1 hour'
    ORDER BY changed_at LIMIT 1000 FOR UPDATE SKIP LOCKED
  ));
  RETURN NULL;
END $$;
CREATE TRIGGER limits_forget_changes AFTER INSERT OR UPDATE OR DELETE ON limits
  FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_forget_policy_changes();
CREATE TRIGGER budgets_forget_changes AFTER INSERT OR UPDATE OR DELETE ON budgets
  FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_forget_policy_changes();

CREATE FUNCTION gatehouse_notify_policies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('gatehouse_policies', '*');
  RETURN NULL;
END $$;
CREATE TRIGGER limits_notify_truncate AFTER TRUNCATE ON limits
  FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_notify_policies();
CREATE TRIGGER budgets_notify_truncate AFTER TRUNCATE ON budgets
  FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_notify_policies();

-- Calls that a limit or a budget refused are few and asked for by themselves.
CREATE INDEX ledger_refused ON ledger (organization_id, created_at) WHERE error_code IN (
  'requests_per_minute_exceeded', 'tokens_per_minute_exceeded', 'tokens_per_hour_exceeded',
  'cost_per_day_exceeded', 'concurrency_exceeded', 'budget_exhausted');

-- The period that a moment is in, as limits/period.ts has it: of the calendar in UTC, or one of those that follow the
-- first, each as long. Counted in seconds, so that no time zone of the session lengthens a day.
CREATE FUNCTION gatehouse_period_at(
  period text, first_start timestamptz, first_end timestamptz, moment timestamptz
) RETURNS TABLE (period_start timestamptz, period_end timestamptz) LANGUAGE sql IMMUTABLE AS $$
  SELECT
    CASE period WHEN 'custom' THEN first_start + make_interval(secs => (nth * seconds)::double precision)
      ELSE begins AT TIME ZONE 'UTC' END,
    CASE period WHEN 'custom' THEN first_start + make_interval(secs => ((nth + 1) * seconds)::double precision)
      ELSE (begins + CASE period WHEN 'quarter' THEN interval '3 months' ELSE ('1 ' || period)::interval END)
        AT TIME ZONE 'UTC' END
  FROM (
    SELECT seconds, floor(extract(epoch FROM moment - first_start) / seconds) AS nth,
      CASE WHEN period <> 'custom' THEN date_trunc(period, moment AT TIME ZONE 'UTC') END AS begins
    FROM (SELECT extract(epoch FROM first_end - first_start) AS seconds) AS lengths
  ) AS steps
$$;

-- Calls that were refused used nothing.
CREATE FUNCTION gatehouse_is_refusal(error_code text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(error_code IN (
    'requests_per_minute_exceeded', 'tokens_per_minute_exceeded', 'tokens_per_hour_exceeded',
    'cost_per_day_exceeded', 'concurrency_exceeded', 'budget_exhausted'), false)
$$;

-- Limits of organizations, one a row. What counts is with the counters and may be more by calls that are under way;
-- `current_value` is what the ledger says of the time from `window_start` on.
CREATE VIEW ai_rate_limits WITH (security_invoker = true) AS
SELECT organization_id, 'requests_per_minute' AS limit_type, requests_per_minute::numeric AS limit_value,
  (SELECT count(*) FILTER (WHERE final AND NOT gatehouse_is_refusal(error_code))::numeric
    FROM ledger WHERE ledger.organization_id = limits.organization_id AND ledger.created_at > now() - interval '1 minute'
  ) AS current_value,
  now() - interval '1 minute' AS window_start, interval '1 minute' AS window_duration, updated_at
FROM limits WHERE scope = 'organization'
UNION ALL
SELECT organization_id, 'tokens_per_minute', tokens_per_minute,
  (SELECT coalesce(sum(coalesce(tokens_input, 0) + coalesce(tokens_output, 0)), 0)
    FROM ledger WHERE ledger.organization_id = limits.organization_id AND ledger.created_at > now() - interval '1 minute'),
  now() - interval '1 minute', interval '1 minute', updated_at
FROM limits WHERE scope = 'organization' AND tokens_per_minute IS NOT NULL
UNION ALL
SELECT organization_id, 'tokens_per_hour', tokens_per_hour,
  (SELECT coalesce(sum(coalesce(tokens_input, 0) + coalesce(tokens_output, 0)), 0)
    FROM ledger WHERE ledger.organization_id = limits.organization_id AND ledger.created_at > now() - interval '1 hour'),
  now() - interval '1 hour', interval '1 hour', updated_at
FROM limits WHERE scope = 'organization'
UNION ALL
-- In US dollars. Whole hours from their sums, so that rows of one hour are read at most.
SELECT organization_id, 'cost_per_day', trim_scale(cost_per_day_nano_usd * 0.000000001),
  trim_scale(0.000000001 * (
    (SELECT coalesce(sum(cost_nano_usd), 0) FROM ledger WHERE ledger.organization_id = limits.organization_id
      AND ledger.created_at > now() - interval '24 hours'
      AND ledger.created_at < date_trunc('hour', now(), 'UTC') - interval '23 hours')
    + (SELECT coalesce(sum(cost_nano_usd), 0) FROM usage_hourly
      WHERE usage_hourly.organization_id = limits.organization_id
      AND usage_hourly.period_start >= date_trunc('hour', now(), 'UTC') - interval '23 hours')
  )),
  now() - interval '24 hours', interval '24 hours', updated_at
FROM limits WHERE scope = 'organization'
UNION ALL
-- Calls under way are not in the ledger.
SELECT organization_id, 'concurrent_requests', concurrent_requests, NULL, NULL, NULL, updated_at
FROM limits WHERE scope = 'organization' AND concurrent_requests IS NOT NULL;

CREATE FUNCTION gatehouse_change_rate_limit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  amount numeric;
BEGIN
  IF TG_OP = 'DELETE' THEN
    NEW := OLD;
    NEW.limit_value := NULL;
  ELSIF TG_OP = 'UPDATE' THEN
    IF (NEW.organization_id, NEW.limit_type) IS DISTINCT FROM (OLD.organization_id, OLD.limit_type) THEN
      RAISE EXCEPTION 'A limit stays with its organization and its type.' USING ERRCODE = 'feature_not_supported';
    END IF;
    IF (NEW.current_value, NEW.window_start, NEW.window_duration)
      IS DISTINCT FROM (OLD.current_value, OLD.window_start, OLD.window_duration) THEN
      RAISE EXCEPTION 'current_value, window_start and window_duration are what the ledger says; only limit_value can be set.'
        USING ERRCODE = 'feature_not_supported';
    END IF;
  ELSIF coalesce(NEW.current_value, 0) <> 0 THEN
    RAISE EXCEPTION 'current_value is what the ledger says and cannot be set.' USING ERRCODE = 'feature_not_supported';
  END IF;
  IF NEW.limit_type IS NULL OR NEW.limit_type NOT IN (
    'requests_per_minute', 'tokens_per_minute', 'tokens_per_hour', 'cost_per_day', 'concurrent_requests'
  ) THEN
    RAISE EXCEPTION 'limit_type % is none of requests_per_minute, tokens_per_minute, tokens_per_hour, cost_per_day, concurrent_requests.',
      quote_nullable(NEW.limit_type) USING ERRCODE = 'check_violation';
  END IF;
  amount := CASE NEW.limit_type WHEN 'cost_per_day' THEN NEW.limit_value * 1000000000 ELSE NEW.limit_value END;
  IF amount <> trunc(amount) OR amount < 0 OR amount > 9007199254740991 THEN
    RAISE EXCEPTION 'limit_value % is not possible for %: a whole number from 0 on is, or US dollars with at most nine decimals up to 9007199 for cost_per_day; NULL = no limit.',
      NEW.limit_value, NEW.limit_type USING ERRCODE = 'check_violation';
  END IF;
  INSERT INTO limits AS l (organization_id, scope, requests_per_minute, tokens_per_minute, tokens_per_hour,
    cost_per_day_nano_usd, concurrent_requests)
  VALUES (NEW.organization_id, 'organization',
    CASE NEW.limit_type WHEN 'requests_per_minute' THEN amount END,
    CASE NEW.limit_type WHEN 'tokens_per_minute' THEN amount END,
    CASE NEW.limit_type WHEN 'tokens_per_hour' THEN amount END,
    CASE NEW.limit_type WHEN 'cost_per_day' THEN amount END,
    CASE NEW.limit_type WHEN 'concurrent_requests' THEN amount END)
  ON CONFLICT (organization_id, scope, subject) DO UPDATE SET
    requests_per_minute =
      CASE NEW.limit_type WHEN 'requests_per_minute' THEN excluded.requests_per_minute ELSE l.requests_per_minute END,
    tokens_per_minute =
      CASE NEW.limit_type WHEN 'tokens_per_minute' THEN excluded.tokens_per_minute ELSE l.tokens_per_minute END,
    tokens_per_hour =
      CASE NEW.limit_type WHEN 'tokens_per_hour' THEN excluded.tokens_per_hour ELSE l.tokens_per_hour END,
    cost_per_day_nano_usd =
      CASE NEW.limit_type WHEN 'cost_per_day' THEN excluded.cost_per_day_nano_usd ELSE l.cost_per_day_nano_usd END,
    concurrent_requests =
      CASE NEW.limit_type WHEN 'concurrent_requests' THEN excluded.concurrent_requests ELSE l.concurrent_requests END;
  RETURN NEW;
END $$;
CREATE TRIGGER ai_rate_limits_change INSTEAD OF INSERT OR UPDATE OR DELETE ON ai_rate_limits
  FOR EACH ROW EXECUTE FUNCTION gatehouse_change_rate_limit();

-- Budgets of organizations in the period that is now. The spend is the ledger's, in the same transaction as its rows:
-- whole hours from their sums, the rest of a custom period from the rows.
CREATE VIEW ai_budgets WITH (security_invoker = true) AS
SELECT
  budgets.organization_id,
  trim_scale(limit_nano_usd * 0.000000001) AS monthly_limit_usd,
  trim_scale(0.000000001 * (
    (SELECT coalesce(sum(cost_nano_usd), 0) FROM usage_hourly
      WHERE usage_hourly.organization_id = budgets.organization_id
      AND usage_hourly.period_start >= whole.first_hour AND usage_hourly.period_start < whole.last_hour)
    + (SELECT coalesce(sum(cost_nano_usd), 0) FROM ledger WHERE ledger.organization_id = budgets.organization_id
      AND ledger.created_at >= current_period.period_start
      AND ledger.created_at < least(whole.first_hour, current_period.period_end))
    + (SELECT coalesce(sum(cost_nano_usd), 0) FROM ledger WHERE ledger.organization_id = budgets.organization_id
      AND ledger.created_at >= greatest(whole.first_hour, whole.last_hour)
      AND ledger.created_at < current_period.period_end)
  )) AS current_spend_usd,
  alert_at[1]::numeric AS alert_threshold,
  hard_limit,
  current_period.period_start AS billing_period_start,
  current_period.period_end AS billing_period_end
FROM budgets
CROSS JOIN LATERAL gatehouse_period_at(period, budgets.period_start, budgets.period_end, now()) AS current_period
CROSS JOIN LATERAL (SELECT
  date_trunc('hour', current_period.period_start + interval '59 minutes 59.999 seconds', 'UTC') AS first_hour,
  date_trunc('hour', current_period.period_end, 'UTC') AS last_hour) AS whole
WHERE scope = 'organization';

CREATE FUNCTION gatehouse_change_budget() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  stored budgets%ROWTYPE;
  amount constant numeric := NEW.monthly_limit_usd * 1000000000;
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM budgets WHERE organization_id = OLD.organization_id AND scope = 'organization';
    RETURN OLD;
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.organization_id IS DISTINCT FROM OLD.organization_id THEN
    RAISE EXCEPTION 'A budget stays with its organization.' USING ERRCODE = 'feature_not_supported';
  END IF;
  IF NEW.current_spend_usd IS DISTINCT FROM (CASE TG_OP WHEN 'UPDATE' THEN OLD.current_spend_usd END)
    AND NOT (TG_OP = 'INSERT' AND NEW.current_spend_usd = 0) THEN
    RAISE EXCEPTION 'current_spend_usd is what the ledger says and cannot be set.'
      USING ERRCODE = 'feature_not_supported';
  END IF;
  IF amount <> trunc(amount) OR amount < 0 OR amount > 9007199254740991 THEN
    RAISE EXCEPTION 'monthly_limit_usd % is not possible: US dollars from 0 to 9007199 with at most nine decimals are; NULL = no limit.',
      NEW.monthly_limit_usd USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.alert_threshold <= 0 OR NEW.alert_threshold > 10 THEN
    RAISE EXCEPTION 'alert_threshold % is not possible: a share above 0 and up to 10 is; 0.8 is 80 %%.',
      NEW.alert_threshold USING ERRCODE = 'check_violation';
  END IF;
  IF (NEW.billing_period_start IS NULL) <> (NEW.billing_period_end IS NULL)
    OR NEW.billing_period_end < NEW.billing_period_start + interval '1 minute' THEN
    RAISE EXCEPTION 'billing_period_end has to be a minute after billing_period_start, or later.'
      USING ERRCODE = 'check_violation';
  END IF;

  SELECT * INTO stored FROM budgets
    WHERE organization_id = NEW.organization_id AND scope = 'organization' FOR UPDATE;
  IF stored.organization_id IS NULL THEN
    stored.alert_at := '{0.8,1}';
    stored.hard_limit := true;
    stored.period := 'month';
  END IF;
  -- What an INSERT leaves out keeps its value, or begins with what every budget begins with.
  stored.hard_limit := CASE TG_OP WHEN 'UPDATE' THEN NEW.hard_limit ELSE coalesce(NEW.hard_limit, stored.hard_limit) END;
  -- The new threshold is the lowest: those below it go.
  IF TG_OP = 'INSERT' AND NEW.alert_threshold IS NOT NULL
    OR TG_OP = 'UPDATE' AND NEW.alert_threshold IS DISTINCT FROM OLD.alert_threshold THEN
    stored.alert_at := CASE WHEN NEW.alert_threshold IS NULL THEN '{}' ELSE
      ARRAY[NEW.alert_threshold::double precision] || ARRAY(
        SELECT share FROM unnest(stored.alert_at[CASE TG_OP WHEN 'UPDATE' THEN 2 ELSE 1 END:]) AS share
        WHERE share > NEW.alert_threshold::double precision ORDER BY share
      ) END;
  END IF;
  IF TG_OP = 'INSERT' AND NEW.billing_period_start IS NOT NULL
    OR TG_OP = 'UPDATE' AND (NEW.billing_period_start, NEW.billing_period_end)
      IS DISTINCT FROM (OLD.billing_period_start, OLD.billing_period_end) THEN
    -- Whoever names a whole month of the calendar means months.
    SELECT unit INTO stored.period
    FROM unnest(ARRAY['day', 'week', 'month', 'quarter', 'year']) AS unit,
      gatehouse_period_at(unit, NULL, NULL, NEW.billing_period_start) AS named
    WHERE named.period_start = NEW.billing_period_start AND named.period_end = NEW.billing_period_end;
    stored.period := coalesce(stored.period, 'custom');
    stored.period_start := CASE stored.period WHEN 'custom' THEN NEW.billing_period_start END;
    stored.period_end := CASE stored.period WHEN 'custom' THEN NEW.billing_period_end END;
  END IF;
  INSERT INTO budgets (organization_id, scope, limit_nano_usd, hard_limit, alert_at, period, period_start, period_end)
  VALUES (NEW.organization_id, 'organization', amount, stored.hard_limit, stored.alert_at, stored.period,
    stored.period_start, stored.period_end)
  ON CONFLICT (organization_id, scope, subject) DO UPDATE SET
    limit_nano_usd = excluded.limit_nano_usd, hard_limit = excluded.hard_limit, alert_at = excluded.alert_at,
    period = excluded.period, period_start = excluded.period_start, period_end = excluded.period_end;
  RETURN NEW;
END $$;
CREATE TRIGGER ai_budgets_change INSTEAD OF INSERT OR UPDATE OR DELETE ON ai_budgets
  FOR EACH ROW EXECUTE FUNCTION gatehouse_change_budget();

-- Who was refused by a limit or a budget, and by which.
CREATE VIEW audit_logs WITH (security_invoker = true) AS
SELECT
  id,
  organization_id,
  CASE error_code WHEN 'budget_exhausted' THEN 'budget_exhausted' ELSE 'rate_limit_exceeded' END AS action,
  error_code,
  request_id,
  team_id,
  key_id,
  user_id,
  requested_model,
  operation,
  created_at
FROM ledger
WHERE final AND error_code IN (
  'requests_per_minute_exceeded', 'tokens_per_minute_exceeded', 'tokens_per_hour_exceeded',
  'cost_per_day_exceeded', 'concurrency_exceeded', 'budget_exhausted');

ALTER TABLE limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE limits FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON limits USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);
ALTER TABLE budgets ENABLE ROW LEVEL SECURITY;
ALTER TABLE budgets FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON budgets USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);
ALTER TABLE policy_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE policy_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON policy_changes USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);

DO $$
BEGIN
  GRANT SELECT ON limits, budgets, ai_rate_limits, ai_budgets, audit_logs TO gatehouse_tenant;
EXCEPTION
  WHEN undefined_object OR insufficient_privilege THEN NULL;
END $$;
