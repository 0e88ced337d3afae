DROP VIEW audit_logs;
DROP VIEW ai_budgets;
DROP VIEW ai_rate_limits;
DROP FUNCTION gatehouse_change_budget();
DROP FUNCTION gatehouse_change_rate_limit();
DROP FUNCTION gatehouse_is_refusal(text);
DROP FUNCTION gatehouse_period_at(text, timestamptz, timestamptz, timestamptz);
