DROP INDEX provider_resources_due;
DROP INDEX provider_resources_open;
CREATE INDEX provider_resources_open ON provider_resources (created_at) WHERE kind = 'batch' AND settled_at IS NULL;
ALTER TABLE provider_resources DROP COLUMN look_at, DROP COLUMN held_nano_usd;
