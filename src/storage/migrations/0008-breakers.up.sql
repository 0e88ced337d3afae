-- Circuit breakers, as the processes last said they are, and what operators want of them.

CREATE TABLE circuit_breakers (
  provider text COLLATE "C" PRIMARY KEY,
  state text COLLATE "C" NOT NULL CHECK (state IN ('closed', 'open', 'half-open')),
  failure_count integer NOT NULL DEFAULT 0 CHECK (failure_count >= 0),
  reason text,
  opened_at timestamptz(3),
  -- When it may be tried again; null while it is open = when an operator says so.
  until timestamptz(3),
  -- No calls until then, because the provider asked for a pause.
  paused_until timestamptz(3),
  by_operator boolean NOT NULL DEFAULT false,
  -- Models whose own breakers have something to say: an array of {model, state, failures, …}.
  targets jsonb NOT NULL DEFAULT '[]',
  updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);

-- The last word of an operator on each provider. Gateways do what it says when it changes, and hold open at their
-- start what it says is open.
CREATE TABLE circuit_breaker_orders (
  provider text COLLATE "C" PRIMARY KEY,
  state text COLLATE "C" NOT NULL CHECK (state IN ('closed', 'open', 'half-open')),
  ordered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION gatehouse_notify_breaker() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('gatehouse_breakers', NEW.provider);
  RETURN NULL;
END $$;
CREATE TRIGGER circuit_breaker_orders_notify AFTER INSERT OR UPDATE ON circuit_breaker_orders
  FOR EACH ROW EXECUTE FUNCTION gatehouse_notify_breaker();

-- One row for each provider. Processes write the table; what is written here is an operator's word.
CREATE VIEW circuit_breaker_status AS
  SELECT provider, state, failure_count, reason, opened_at, until, paused_until, by_operator, targets, updated_at
  FROM circuit_breakers;

CREATE FUNCTION gatehouse_order_breaker() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.provider IS DISTINCT FROM OLD.provider THEN
    RAISE EXCEPTION 'A breaker has the name of its provider.' USING ERRCODE = 'feature_not_supported';
  END IF;
  INSERT INTO circuit_breakers AS known (provider, state, failure_count, by_operator, opened_at)
    VALUES (NEW.provider, NEW.state, coalesce(NEW.failure_count, 0), true,
      CASE WHEN NEW.state <> 'closed' THEN clock_timestamp() END)
    ON CONFLICT (provider) DO UPDATE SET
      state = excluded.state, failure_count = excluded.failure_count, by_operator = true,
      opened_at = CASE WHEN excluded.state <> 'closed' THEN coalesce(known.opened_at, excluded.opened_at) END,
      reason = NULL, until = NULL,
      paused_until = CASE WHEN excluded.state <> 'closed' THEN known.paused_until END,
      targets = CASE WHEN excluded.state <> 'closed' THEN known.targets ELSE '[]' END,
      updated_at = clock_timestamp();
  INSERT INTO circuit_breaker_orders (provider, state) VALUES (NEW.provider, NEW.state)
    ON CONFLICT (provider) DO UPDATE SET state = excluded.state, ordered_at = clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER circuit_breaker_status_order INSTEAD OF INSERT OR UPDATE ON circuit_breaker_status
  FOR EACH ROW EXECUTE FUNCTION gatehouse_order_breaker();
