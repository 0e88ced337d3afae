DROP VIEW circuit_breaker_status;
DROP TABLE circuit_breaker_orders, circuit_breakers;
DROP FUNCTION gatehouse_order_breaker, gatehouse_notify_breaker;
