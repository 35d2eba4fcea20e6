-- The one row that orders the ledger. A commit moves position and proves its epoch in the same UPDATE.
CREATE TABLE ledger_head (
  shard    text        NOT NULL CONSTRAINT pk_ledger_head PRIMARY KEY,
  position bigint      NOT NULL,
  epoch    bigint      NOT NULL,
  at       timestamptz NOT NULL,
  holder   text        NOT NULL
);

-- Answers that are kept for callers who ask again with the same key. Rows go when they are old; they never change.
CREATE TABLE ledger_command (
  principal     text        NOT NULL,
  key           text        NOT NULL,
  hash          bytea       NOT NULL,
  last_position bigint      NOT NULL,
  event_count   int         NOT NULL,
  at            timestamptz NOT NULL,
  CONSTRAINT pk_ledger_command PRIMARY KEY (principal, key)
);
CREATE INDEX ix_ledger_command_at ON ledger_command (at);
CREATE TRIGGER mbp_no_change BEFORE UPDATE OR TRUNCATE ON ledger_command
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- Messages on their way out, in the order of position and id. A delivered one is deleted.
CREATE TABLE ledger_outbox (
  id          uuid        NOT NULL CONSTRAINT pk_ledger_outbox PRIMARY KEY,
  position    bigint      NOT NULL,
  destination text        NOT NULL,
  body        bytea       NOT NULL,
  at          timestamptz NOT NULL
);
CREATE INDEX ix_ledger_outbox_order ON ledger_outbox (position, id);
CREATE TRIGGER mbp_no_change BEFORE UPDATE OR TRUNCATE ON ledger_outbox
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- A cache: every row can be made again from the events.
CREATE TABLE ledger_snapshot (
  stream_id    text   NOT NULL,
  fold         text   NOT NULL,
  fold_version int    NOT NULL,
  version      bigint NOT NULL,
  state        bytea  NOT NULL,
  CONSTRAINT pk_ledger_snapshot PRIMARY KEY (stream_id, fold)
);
