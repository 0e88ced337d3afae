DROP TABLE provider_resources;
