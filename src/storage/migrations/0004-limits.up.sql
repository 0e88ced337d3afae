-- What may be used and spent: by an organization, a team, a key, an end user, or whatever carries a tag.

-- The largest whole number that a double holds exactly: what counters count up to.
CREATE DOMAIN gatehouse_count AS bigint CHECK (VALUE BETWEEN 0 AND 9007199254740991);

CREATE TABLE limits (
  organization_id text COLLATE "C" NOT NULL,
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

-- False unless each share is above 0 and above the one before it.
CREATE FUNCTION gatehouse_is_rising(shares double precision[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(bool_and(share > 0 AND share < 'Infinity' AND (before IS NULL OR share > before)), true)
  FROM (SELECT share, lag(share) OVER (ORDER BY place) AS before
    FROM unnest(shares) WITH ORDINALITY AS each (share, place)) AS pairs
$$;

CREATE TABLE budgets (
  organization_id text COLLATE "C" NOT NULL,
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
  -- A few at a time, and never those that another transaction is removing.
  DELETE FROM policy_changes WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM policy_changes WHERE changed_at < clock_timestamp() - interval '1 hour'
    ORDER BY changed_at LIMIT 4 FOR UPDATE SKIP LOCKED
  ));
  RETURN NULL;
END $$;
CREATE TRIGGER limits_notify AFTER INSERT OR UPDATE OR DELETE ON limits
  FOR EACH ROW EXECUTE FUNCTION gatehouse_notify_policy();
CREATE TRIGGER budgets_notify AFTER INSERT OR UPDATE OR DELETE ON budgets
  FOR EACH ROW EXECUTE FUNCTION gatehouse_notify_policy();

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
