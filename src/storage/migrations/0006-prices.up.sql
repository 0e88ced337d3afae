-- Prices that organizations agreed on, and newer data on what models cost. Both are histories: a change adds a row, so
-- that what a row of the ledger names as its price can be read years later. Only what comes after is priced by it.

-- US dollars, as price lists have them: six digits are what prices of tokens are calculated with.
CREATE DOMAIN gatehouse_list_price AS numeric CHECK (VALUE BETWEEN 0 AND 1000000 AND VALUE = round(VALUE, 6));

CREATE TABLE price_overrides (
  id text COLLATE "C" PRIMARY KEY DEFAULT gen_random_uuid()::text,
  -- Of two that begin at the same moment, the one that was added later holds.
  position bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  organization_id text COLLATE "C" NOT NULL REFERENCES organizations (id),
  -- `provider/model`, as the configuration names the provider; a `*` at the end stands for any ending.
  target text COLLATE "C" NOT NULL CHECK (target ~ '^[^/[:space:]*]+/([^[:space:]*]+[*]?|[*])$' AND length(target) <= 400),
  input_per_million_usd gatehouse_list_price,
  output_per_million_usd gatehouse_list_price,
  cached_input_per_million_usd gatehouse_list_price,
  cache_write_per_million_usd gatehouse_list_price,
  reasoning_per_million_usd gatehouse_list_price,
  per_request_usd gatehouse_list_price,
  per_image_usd gatehouse_list_price,
  per_million_characters_usd gatehouse_list_price,
  per_minute_usd gatehouse_list_price,
  per_search_usd gatehouse_list_price,
  -- From then on there is no price of its own any more, and what everybody pays holds again.
  removed boolean NOT NULL DEFAULT false,
  valid_from timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  CHECK (CASE WHEN removed
    THEN num_nonnulls(input_per_million_usd, output_per_million_usd, cached_input_per_million_usd,
      cache_write_per_million_usd, reasoning_per_million_usd, per_request_usd, per_image_usd,
      per_million_characters_usd, per_minute_usd, per_search_usd) = 0
    ELSE num_nonnulls(input_per_million_usd, output_per_million_usd) = 2
      OR num_nonnulls(per_request_usd, per_image_usd, per_million_characters_usd, per_minute_usd, per_search_usd) > 0
  END)
);
CREATE INDEX price_overrides_target ON price_overrides (organization_id, target, valid_from, position);
CREATE INDEX price_overrides_created ON price_overrides (created_at);

CREATE TABLE price_data (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- SHA-256 of the data, as hexadecimal digits; null = what the program brings along holds again.
  checksum text COLLATE "C",
  -- Where it came from, for people.
  source text NOT NULL,
  -- JSON as genai-prices publishes it; null where an earlier row of the same checksum has it.
  data text CHECK (checksum = encode(sha256(convert_to(data, 'UTF8')), 'hex')),
  valid_from timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  CHECK (checksum IS NOT NULL OR data IS NULL)
);
CREATE INDEX price_data_checksum ON price_data (checksum) WHERE data IS NOT NULL;

CREATE FUNCTION gatehouse_refuse_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'A price does not change: add a row that holds from a later moment.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER price_overrides_immutable BEFORE UPDATE OR DELETE ON price_overrides
  FOR EACH ROW EXECUTE FUNCTION gatehouse_refuse_price_change();
CREATE TRIGGER price_data_immutable BEFORE UPDATE OR DELETE ON price_data
  FOR EACH ROW EXECUTE FUNCTION gatehouse_refuse_price_change();

-- Every replica hears of a new price, also of one that was added by hand: `organization:…`, `data`, or `*` = read all
-- again. A notification has less than 8000 bytes (https://www.postgresql.org/docs/15/sql-notify.html).
CREATE FUNCTION gatehouse_notify_override() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('gatehouse_prices',
    CASE WHEN octet_length(NEW.organization_id) < 7900 THEN 'organization:' || NEW.organization_id ELSE '*' END);
  RETURN NULL;
END $$;
CREATE TRIGGER price_overrides_notify AFTER INSERT ON price_overrides
  FOR EACH ROW EXECUTE FUNCTION gatehouse_notify_override();

CREATE FUNCTION gatehouse_notify_prices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('gatehouse_prices', TG_ARGV[0]);
  RETURN NULL;
END $$;
CREATE TRIGGER price_overrides_notify_truncate AFTER TRUNCATE ON price_overrides
  FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_notify_prices('*');
CREATE TRIGGER price_data_notify AFTER INSERT OR TRUNCATE ON price_data
  FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_notify_prices('data');

ALTER TABLE price_overrides ENABLE ROW LEVEL SECURITY;
ALTER TABLE price_overrides FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON price_overrides USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);

DO $$
BEGIN
  GRANT SELECT ON price_overrides TO gatehouse_tenant;
EXCEPTION
  WHEN undefined_object OR insufficient_privilege THEN NULL;
END $$;
