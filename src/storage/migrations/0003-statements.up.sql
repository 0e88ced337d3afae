-- Statements of closed months, and which rows of the ledger came too late for theirs. Rows themselves never change:
-- what belongs to a closed month and is written later gets a line here that says where it is booked instead.

CREATE TABLE statement_months (
  -- The first day of the month.
  month date PRIMARY KEY CHECK (extract(day FROM month) = 1),
  frozen_at timestamptz(3) NOT NULL,
  -- Every statement is stored.
  complete boolean NOT NULL DEFAULT false
);

CREATE TABLE statements (
  month date NOT NULL REFERENCES statement_months (month),
  organization_id text COLLATE "C" NOT NULL,
  -- Text, not jsonb: it is read again byte for byte.
  document text NOT NULL,
  checksum text NOT NULL,
  requests bigint NOT NULL,
  tokens_input bigint NOT NULL,
  tokens_output bigint NOT NULL,
  tokens_cached bigint NOT NULL,
  cost_nano_usd bigint NOT NULL,
  estimated bigint NOT NULL,
  estimated_nano_usd bigint NOT NULL,
  adjustment_nano_usd bigint NOT NULL,
  PRIMARY KEY (month, organization_id)
);
CREATE INDEX statements_organization ON statements (organization_id, month);

-- The finest lines of closed statements, as canonical JSON: a day in as many parts as it needs.
CREATE TABLE statement_charges (
  month date NOT NULL REFERENCES statement_months (month),
  organization_id text COLLATE "C" NOT NULL,
  day date NOT NULL,
  part integer NOT NULL,
  charges text NOT NULL,
  PRIMARY KEY (month, organization_id, day, part)
);

CREATE TABLE ledger_adjustments (
  ledger_id text COLLATE "C" NOT NULL,
  created_at timestamptz(3) NOT NULL,
  organization_id text COLLATE "C" NOT NULL,
  booked_month date NOT NULL,
  PRIMARY KEY (ledger_id, created_at)
);
CREATE INDEX ledger_adjustments_booked ON ledger_adjustments (booked_month, organization_id);
CREATE INDEX ledger_adjustments_created ON ledger_adjustments (created_at);

CREATE FUNCTION gatehouse_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'A closed statement does not change.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER statements_immutable BEFORE UPDATE OR DELETE ON statements
  FOR EACH ROW EXECUTE FUNCTION gatehouse_refuse_change();
CREATE TRIGGER statement_charges_immutable BEFORE UPDATE OR DELETE ON statement_charges
  FOR EACH ROW EXECUTE FUNCTION gatehouse_refuse_change();

-- Runs for rows of partitions whose month is closed, and of the default partition; rows of open months pay nothing.
-- The lock is shared among writers and taken alone by whoever closes a month, so that a row is booked in a month
-- before its statement is made, or in the next one.
CREATE FUNCTION gatehouse_book_late() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  own_month constant date := date_trunc('month', NEW.created_at AT TIME ZONE 'UTC')::date;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(4728116903);
  IF EXISTS (SELECT 1 FROM statement_months WHERE month = own_month) THEN
    INSERT INTO ledger_adjustments (ledger_id, created_at, organization_id, booked_month)
    SELECT NEW.id, NEW.created_at, NEW.organization_id, min(candidate) FROM (
      SELECT (own_month + interval '1 month')::date AS candidate
      UNION ALL
      SELECT (month + interval '1 month')::date FROM statement_months WHERE month > own_month
    ) AS candidates
    WHERE NOT EXISTS (SELECT 1 FROM statement_months WHERE month = candidate);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_late AFTER INSERT ON ledger_default
  FOR EACH ROW EXECUTE FUNCTION gatehouse_book_late();

-- Decides which rows are a month's own: those that are committed when this commits. Its partition has to be there.
-- Making the trigger waits for those that write to the partition now; then comes the lock, as with writers.
CREATE FUNCTION gatehouse_freeze_month(closing date, moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  partition_name constant text := 'ledger_' || to_char(closing, 'YYYY_MM');
BEGIN
  EXECUTE format(
    'CREATE OR REPLACE TRIGGER ledger_late AFTER INSERT ON %I FOR EACH ROW EXECUTE FUNCTION gatehouse_book_late()',
    partition_name
  );
  PERFORM pg_advisory_xact_lock(4728116903);
  INSERT INTO statement_months (month, frozen_at) VALUES (closing, moment) ON CONFLICT DO NOTHING;
END $$;

ALTER TABLE statements ENABLE ROW LEVEL SECURITY;
ALTER TABLE statements FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON statements USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);
ALTER TABLE statement_charges ENABLE ROW LEVEL SECURITY;
ALTER TABLE statement_charges FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON statement_charges USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);
ALTER TABLE ledger_adjustments ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_adjustments FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON ledger_adjustments USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);

DO $$
BEGIN
  GRANT SELECT ON statements, statement_charges, ledger_adjustments TO gatehouse_tenant;
EXCEPTION
  WHEN undefined_object OR insufficient_privilege THEN NULL;
END $$;
