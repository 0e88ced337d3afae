-- What batches may cost is promised to them until they are booked, and they are looked at until then.
ALTER TABLE provider_resources
  -- What budgets hold for a batch; null = nothing.
  ADD COLUMN held_nano_usd bigint CHECK (held_nano_usd >= 0),
  -- When it is to be looked at next, where it is a batch that is not booked.
  ADD COLUMN look_at timestamptz(3);
ALTER TABLE provider_resources ALTER COLUMN look_at SET DEFAULT clock_timestamp() + interval '5 minutes';
UPDATE provider_resources SET look_at = created_at + interval '5 minutes' WHERE kind = 'batch' AND settled_at IS NULL;

DROP INDEX provider_resources_open;
CREATE INDEX provider_resources_open ON provider_resources (organization_id, created_at)
  WHERE kind = 'batch' AND settled_at IS NULL;
CREATE INDEX provider_resources_due ON provider_resources (look_at) WHERE kind = 'batch' AND settled_at IS NULL;
