-- Files and batches at providers: one account there serves many organizations, so who owns what is written here.
CREATE TABLE provider_resources (
  provider text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('file', 'batch')),
  -- The provider's own.
  id text COLLATE "C" NOT NULL,
  organization_id text COLLATE "C" NOT NULL REFERENCES organizations (id),
  -- Whose call made it: what a batch costs is booked there once it is over.
  team_id text COLLATE "C",
  key_id text COLLATE "C",
  user_id text COLLATE "C",
  session_id text COLLATE "C",
  task text COLLATE "C",
  tags jsonb NOT NULL,
  request_id text COLLATE "C" NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  settled_at timestamptz(3),
  PRIMARY KEY (provider, kind, id)
);
CREATE INDEX provider_resources_organization
  ON provider_resources (organization_id, kind, provider, created_at, id);
CREATE INDEX provider_resources_id ON provider_resources (organization_id, kind, id);
-- Batches whose cost is not in the ledger yet.
CREATE INDEX provider_resources_open ON provider_resources (created_at)
  WHERE kind = 'batch' AND settled_at IS NULL;

ALTER TABLE provider_resources ENABLE ROW LEVEL SECURITY;
ALTER TABLE provider_resources FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_scope ON provider_resources USING (CASE coalesce((SELECT current_setting('gatehouse.organization_id', true)), '')
    WHEN '' THEN current_user <> 'gatehouse_tenant'
    ELSE organization_id = (SELECT current_setting('gatehouse.organization_id', true)) END);

DO $$
BEGIN
  GRANT SELECT ON provider_resources TO gatehouse_tenant;
EXCEPTION
  WHEN undefined_object OR insufficient_privilege THEN NULL;
END $$;
