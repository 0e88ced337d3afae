-- Routes that organizations have of their own: they hold before those of the configuration.

CREATE TABLE organization_routes (
  organization_id text COLLATE "C" NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- What calls put into `model`.
  name text COLLATE "C" NOT NULL CHECK (name <> '' AND name <> 'auto' AND length(name) <= 256),
  -- As the configuration has it under `models`; read by the program, which passes over what it does not understand.
  settings jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object'),
  updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organization_id, name)
);

CREATE FUNCTION gatehouse_touch_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER organization_routes_touch BEFORE INSERT OR UPDATE ON organization_routes
  FOR EACH ROW EXECUTE FUNCTION gatehouse_touch_route();

-- Every change is heard by every replica, also one made by hand: whose routes they are, or '*' = read all again. A
-- notification has less than 8000 bytes (https://www.postgresql.org/docs/15/sql-notify.html).
CREATE FUNCTION gatehouse_announce_routes(organization_id text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('gatehouse_routes',
    CASE WHEN octet_length(organization_id) < 7900 THEN 'organization:' || organization_id ELSE '*' END);
END $$;

CREATE FUNCTION gatehouse_notify_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    PERFORM gatehouse_announce_routes(OLD.organization_id);
  END IF;
  IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND OLD.organization_id <> NEW.organization_id) THEN
    PERFORM gatehouse_announce_routes(NEW.organization_id);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER organization_routes_notify AFTER INSERT OR UPDATE OR DELETE ON organization_routes
  FOR EACH ROW EXECUTE FUNCTION gatehouse_notify_route();

CREATE FUNCTION gatehouse_notify_routes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('gatehouse_routes', '*');
  RETURN NULL;
END $$;
CREATE TRIGGER organization_routes_notify_truncate AFTER TRUNCATE ON organization_routes
  FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_notify_routes();

ALTER TABLE organization_routes ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization_routes FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON organization_routes
  USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);

DO $$
BEGIN
  GRANT SELECT ON organization_routes TO gatehouse_tenant;
EXCEPTION
  WHEN undefined_object OR insufficient_privilege THEN NULL;
END $$;
