-- Messages are made from events by a follower, which writes them in one transaction with its cursor.
GRANT INSERT ON ledger_outbox TO mbp_projector;

-- Each destination takes its own in order, past whatever waits for another that is away.
DROP INDEX ix_ledger_outbox_order;
CREATE INDEX ix_ledger_outbox_destination ON ledger_outbox (destination, position, id);
