DROP FUNCTION gatehouse_freeze_month(date, timestamptz);
-- Takes its triggers along, whichever partitions have one.
DROP FUNCTION gatehouse_book_late() CASCADE;
DROP TABLE ledger_adjustments;
DROP TABLE statement_charges;
DROP TABLE statements;
DROP TABLE statement_months;
DROP FUNCTION gatehouse_refuse_change();
