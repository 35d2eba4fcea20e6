-- Marten's own tables, to the letter: string stream ids, metadata columns on. A column or index more would be dropped by Marten's schema
-- migration, data included; whatever is ours lives in tables of our own.
CREATE TABLE mt_streams (
  id          varchar     NOT NULL CONSTRAINT pkey_mt_streams_id PRIMARY KEY,
  type        varchar,
  version     bigint,
  timestamp   timestamptz NOT NULL DEFAULT now(),
  created     timestamptz NOT NULL DEFAULT now(),
  tenant_id   varchar     DEFAULT '*DEFAULT*',
  is_archived bool        DEFAULT false
);

CREATE TABLE mt_events (
  seq_id         bigint       NOT NULL CONSTRAINT pkey_mt_events_seq_id PRIMARY KEY,
  id             uuid         NOT NULL,
  stream_id      varchar      CONSTRAINT fkey_mt_events_stream_id REFERENCES mt_streams (id) ON DELETE CASCADE,
  version        bigint       NOT NULL,
  data           jsonb        NOT NULL,
  bdata          bytea,
  type           varchar(500) NOT NULL,
  timestamp      timestamptz  NOT NULL,
  tenant_id      varchar,
  mt_dotnet_type varchar,
  correlation_id varchar,
  causation_id   varchar,
  headers        jsonb,
  is_archived    bool         DEFAULT false
);

CREATE UNIQUE INDEX pk_mt_events_stream_and_version ON mt_events (stream_id, version);

-- Our positions come from the head row. The sequence follows it, for a Marten that appends as well.
CREATE SEQUENCE mt_events_sequence START 1 CACHE 1 OWNED BY mt_events.seq_id;

CREATE TABLE mt_event_progression (
  name         varchar     NOT NULL CONSTRAINT pk_mt_event_progression PRIMARY KEY,
  last_seq_id  bigint,
  last_updated timestamptz DEFAULT transaction_timestamp()
);

CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING
    ERRCODE = 'MBP10',
    MESSAGE = format('%s is append-only: %s is refused.', TG_TABLE_NAME, TG_OP),
    HINT = 'A wrong event is corrected by a later event, never by changing the past.';
END $$;

-- Statement triggers cost an append nothing. ALWAYS: not even a session in replica mode may rewrite the past.
CREATE TRIGGER mbp_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON mt_events
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE mt_events ENABLE ALWAYS TRIGGER mbp_append_only;
