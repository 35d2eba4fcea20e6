-- What each role may do. None but the owner may change the past, and the owner is stopped by the triggers.
GRANT USAGE ON SCHEMA public TO mbp_writer, mbp_reader, mbp_projector, mbp_vault;

GRANT SELECT ON mt_streams, mt_events, mt_event_progression, ledger_head, ledger_snapshot TO mbp_reader, mbp_projector, mbp_writer;
GRANT SELECT ON mt_events_sequence TO mbp_reader, mbp_projector, mbp_writer;

GRANT INSERT ON mt_events, mt_streams TO mbp_writer;
GRANT UPDATE (version, timestamp) ON mt_streams TO mbp_writer;
GRANT UPDATE ON mt_events_sequence TO mbp_writer;
GRANT UPDATE (position, at) ON ledger_head TO mbp_writer;
GRANT SELECT, INSERT, DELETE ON ledger_command TO mbp_writer;
GRANT SELECT, INSERT, DELETE ON ledger_outbox TO mbp_writer;
GRANT INSERT, UPDATE ON ledger_snapshot TO mbp_writer;
GRANT EXECUTE ON FUNCTION ledger_take_lease TO mbp_writer;

GRANT INSERT, UPDATE, DELETE ON mt_event_progression TO mbp_projector;
GRANT SELECT, DELETE ON ledger_outbox TO mbp_projector;
