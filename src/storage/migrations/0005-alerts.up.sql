-- Alerts, and the messages about them that are on their way to people.

CREATE TABLE alerts (
  id text COLLATE "C" PRIMARY KEY,
  kind text COLLATE "C" NOT NULL,
  severity text COLLATE "C" NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
  -- Null: the whole deployment's.
  organization_id text COLLATE "C",
  -- The same thing is one alert, whoever sees it and however often.
  dedupe_key text COLLATE "C" NOT NULL CONSTRAINT alerts_dedupe_key UNIQUE,
  title text NOT NULL,
  detail jsonb NOT NULL,
  status text COLLATE "C" NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'acknowledged', 'resolved')),
  raised_at timestamptz(3) NOT NULL,
  -- When it is over by itself; null: when somebody, or the rule that raised it, says so.
  ends_at timestamptz(3),
  acknowledged_at timestamptz(3),
  acknowledged_by text,
  resolved_at timestamptz(3),
  resolved_by text,
  notes jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX alerts_raised ON alerts (raised_at, id);
CREATE INDEX alerts_organization ON alerts (organization_id, raised_at, id);
CREATE INDEX alerts_open ON alerts (kind, raised_at) WHERE status <> 'resolved';
CREATE INDEX alerts_ending ON alerts (ends_at) WHERE status <> 'resolved' AND ends_at IS NOT NULL;

-- One row for each channel that is to be told of each event; it stays, as history.
CREATE TABLE alert_deliveries (
  alert_id text COLLATE "C" NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  event text COLLATE "C" NOT NULL CHECK (event IN ('raised', 'resolved')),
  channel text COLLATE "C" NOT NULL,
  organization_id text COLLATE "C",
  attempts integer NOT NULL DEFAULT 0,
  -- Null: delivered, or given up.
  next_attempt_at timestamptz(3),
  delivered_at timestamptz(3),
  last_error text,
  PRIMARY KEY (alert_id, event, channel)
);
CREATE INDEX alert_deliveries_due ON alert_deliveries (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- Who does what only one replica should do.
CREATE TABLE leases (
  name text COLLATE "C" PRIMARY KEY,
  holder text COLLATE "C" NOT NULL,
  until timestamptz(3) NOT NULL
);

ALTER TABLE alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON alerts USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);
ALTER TABLE alert_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON alert_deliveries USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);

DO $$
BEGIN
  GRANT SELECT ON alerts, alert_deliveries TO gatehouse_tenant;
EXCEPTION
  WHEN undefined_object OR insufficient_privilege THEN NULL;
END $$;
