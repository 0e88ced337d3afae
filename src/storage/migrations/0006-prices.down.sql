DROP TABLE price_data;
DROP TABLE price_overrides;
DROP FUNCTION gatehouse_notify_prices();
DROP FUNCTION gatehouse_notify_override();
DROP FUNCTION gatehouse_refuse_price_change();
DROP DOMAIN gatehouse_list_price;
