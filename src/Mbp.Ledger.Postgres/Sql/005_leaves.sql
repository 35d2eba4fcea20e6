-- What the public log says of the events: one row for each commit, its entries one after the other, each behind its length as in a C2SP entry
-- bundle. The leaf of a position is in the first row whose last_position is not below it. Written by the same statement as the events.
CREATE TABLE ledger_leaf (
  last_position  bigint NOT NULL CONSTRAINT pk_ledger_leaf PRIMARY KEY,
  first_position bigint NOT NULL,
  leaves         bytea  NOT NULL,
  hashes         bytea  NOT NULL,
  CONSTRAINT ck_ledger_leaf_hashes CHECK (octet_length(hashes) = 32 * (last_position - first_position + 1))
);
CREATE TRIGGER mbp_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_leaf
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE ledger_leaf ENABLE ALWAYS TRIGGER mbp_append_only;

-- The salts of the commitments, 16 bytes for each event, apart from the leaves: to erase a payload is to erase its salt.
CREATE TABLE ledger_salt (
  last_position bigint NOT NULL CONSTRAINT pk_ledger_salt PRIMARY KEY,
  salts         bytea  NOT NULL
);

-- Hashes and commitments do not compress; trying costs more than storing them.
ALTER TABLE ledger_leaf ALTER COLUMN leaves SET STORAGE EXTERNAL, ALTER COLUMN hashes SET STORAGE EXTERNAL;
ALTER TABLE ledger_salt ALTER COLUMN salts SET STORAGE EXTERNAL;

GRANT SELECT ON ledger_leaf TO mbp_writer, mbp_reader, mbp_projector;
GRANT INSERT ON ledger_leaf, ledger_salt TO mbp_writer;
GRANT SELECT ON ledger_salt TO mbp_writer;
