DROP TABLE leases;
DROP TABLE alert_deliveries;
DROP TABLE alerts;
