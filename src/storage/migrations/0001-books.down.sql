DROP VIEW ai_usage_daily;
DROP VIEW ai_usage_metrics;
DROP TABLE usage_daily;
DROP TABLE usage_hourly;
DROP TABLE ledger;
DROP TABLE settings;
DROP TABLE api_keys;
DROP TABLE users;
DROP TABLE teams;
DROP TABLE organizations;
DROP FUNCTION gatehouse_latency_percentile(bigint[], double precision);
DROP FUNCTION gatehouse_add_histograms(integer[], integer[]);
DROP FUNCTION gatehouse_notify_key();
DROP FUNCTION gatehouse_touch_key();

-- The role belongs to the whole server: it stays where another database uses it.
DO $$
BEGIN
  DROP ROLE IF EXISTS gatehouse_tenant;
EXCEPTION
  WHEN dependent_objects_still_exist OR insufficient_privilege OR object_in_use THEN NULL;
END $$;
