-- The public log (integrity.md, section 1.3; ADR 0011). Leaves are written with their events (005); everything here is made from them, and only ever added.
-- An epoch is one public log. A new one begins only where the last had to be given up; the leaves, and so the tiles, are the same.
CREATE TABLE ledger_log (
  epoch  int         NOT NULL CONSTRAINT pk_ledger_log PRIMARY KEY,
  origin text        NOT NULL CONSTRAINT uq_ledger_log_origin UNIQUE,
  at     timestamptz NOT NULL DEFAULT now()
);

-- Full tiles of 256 hashes; those that are not full yet are made from what is below them.
CREATE TABLE ledger_tile (
  level  int    NOT NULL,
  idx    bigint NOT NULL,
  hashes bytea  NOT NULL CONSTRAINT ck_ledger_tile_hashes CHECK (octet_length(hashes) = 8192),
  root   bytea  NOT NULL CONSTRAINT ck_ledger_tile_root CHECK (octet_length(root) = 32),
  CONSTRAINT pk_ledger_tile PRIMARY KEY (level, idx)
);
ALTER TABLE ledger_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- Every tree head that was ever signed, with the note as it was published (without later cosignatures).
CREATE TABLE ledger_checkpoint (
  epoch      int         NOT NULL CONSTRAINT fk_ledger_checkpoint_log REFERENCES ledger_log,
  size       bigint      NOT NULL,
  root       bytea       NOT NULL CONSTRAINT ck_ledger_checkpoint_root CHECK (octet_length(root) = 32),
  note       text        NOT NULL,
  key_id     text        NOT NULL,
  commit_lsn pg_lsn      NOT NULL,
  at         timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT pk_ledger_checkpoint PRIMARY KEY (epoch, size)
);

-- What witnesses said of a checkpoint: a line of its note, under the witness's verifier key.
CREATE TABLE ledger_cosignature (
  epoch int         NOT NULL,
  size  bigint      NOT NULL,
  key   text        NOT NULL,
  line  text        NOT NULL,
  at    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT pk_ledger_cosignature PRIMARY KEY (epoch, size, key),
  CONSTRAINT fk_ledger_cosignature_checkpoint FOREIGN KEY (epoch, size) REFERENCES ledger_checkpoint
);

-- Where else a checkpoint was left, and the receipt for it. The one change allowed: when it was last verified.
CREATE TABLE ledger_anchor (
  epoch       int         NOT NULL,
  size        bigint      NOT NULL,
  kind        text        NOT NULL,
  ref         text        NOT NULL,
  receipt     bytea       NOT NULL,
  at          timestamptz NOT NULL DEFAULT now(),
  verified_at timestamptz,
  CONSTRAINT pk_ledger_anchor PRIMARY KEY (epoch, size, kind, ref),
  CONSTRAINT fk_ledger_anchor_checkpoint FOREIGN KEY (epoch, size) REFERENCES ledger_checkpoint
);

-- Keys and the sizes that they may sign. The one change allowed: the end of a key's time, once.
CREATE TABLE ledger_key (
  epoch      int    NOT NULL CONSTRAINT fk_ledger_key_log REFERENCES ledger_log,
  key_id     text   NOT NULL,
  vkey       text   NOT NULL,
  from_size  bigint NOT NULL,
  until_size bigint,
  CONSTRAINT pk_ledger_key PRIMARY KEY (epoch, key_id)
);

CREATE FUNCTION ledger_key_ends_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.until_size IS NULL AND NEW.until_size IS NOT NULL AND (OLD.epoch, OLD.key_id, OLD.vkey, OLD.from_size) = (NEW.epoch, NEW.key_id, NEW.vkey, NEW.from_size) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'MBP10', MESSAGE = 'ledger_key: a key''s time ends once, and nothing else of it changes.';
END $$;

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['ledger_log', 'ledger_tile', 'ledger_checkpoint', 'ledger_cosignature'] LOOP
    EXECUTE format('CREATE TRIGGER mbp_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()', name);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER mbp_append_only', name);
  END LOOP;
  FOREACH name IN ARRAY ARRAY['ledger_anchor', 'ledger_key'] LOOP
    EXECUTE format('CREATE TRIGGER mbp_append_only BEFORE DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()', name);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER mbp_append_only', name);
  END LOOP;
END $$;
CREATE TRIGGER mbp_ends_once BEFORE UPDATE ON ledger_key FOR EACH ROW EXECUTE FUNCTION ledger_key_ends_once();
ALTER TABLE ledger_key ENABLE ALWAYS TRIGGER mbp_ends_once;

GRANT SELECT ON ledger_log, ledger_tile, ledger_checkpoint, ledger_cosignature, ledger_anchor, ledger_key TO mbp_writer, mbp_reader, mbp_projector;
GRANT INSERT ON ledger_log, ledger_tile, ledger_checkpoint, ledger_cosignature, ledger_anchor, ledger_key TO mbp_writer;
GRANT UPDATE (verified_at) ON ledger_anchor TO mbp_writer;
GRANT UPDATE (until_size) ON ledger_key TO mbp_writer;
GRANT SELECT ON ledger_salt TO mbp_reader;
