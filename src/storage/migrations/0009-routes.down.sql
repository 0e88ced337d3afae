DO $$
BEGIN
  REVOKE SELECT ON organization_routes FROM gatehouse_tenant;
EXCEPTION
  WHEN undefined_object OR insufficient_privilege THEN NULL;
END $$;
DROP TABLE organization_routes;
DROP FUNCTION gatehouse_notify_routes();
DROP FUNCTION gatehouse_notify_route();
DROP FUNCTION gatehouse_announce_routes(text);
DROP FUNCTION gatehouse_touch_route();
