-- Read models in tables. Those that serve are in public; one that is being built is in mbp_build until it is whole, and the one that it replaced
-- is in mbp_old until nobody can still be reading it.
CREATE SCHEMA mbp_build;
CREATE SCHEMA mbp_old;
GRANT USAGE, CREATE ON SCHEMA mbp_build, mbp_old, public TO mbp_projector;

-- Which version of each projection serves, and why it stopped, if it did. The position is in mt_event_progression, under mbp:name.
-- A new generation is another set of tables: whoever still holds rows of the old one in memory must let them go.
CREATE TABLE mbp_projection (
  name           text        NOT NULL CONSTRAINT pk_mbp_projection PRIMARY KEY,
  version        int         NOT NULL,
  shape          text        NOT NULL,
  generation     bigint      NOT NULL,
  built_at       timestamptz NOT NULL,
  fault          text,
  fault_position bigint,
  fault_type     text,
  fault_at       timestamptz
);
GRANT SELECT ON mbp_projection TO mbp_reader, mbp_writer, mbp_projector;
GRANT INSERT, UPDATE, DELETE ON mbp_projection TO mbp_projector;

-- Moves a projection on in the transaction of its rows; raises where another process moved it, or replaced its tables.
CREATE FUNCTION mbp_projection_advance(projection text, its_generation bigint, from_position bigint, to_position bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM mbp_projection p WHERE p.name = projection AND p.generation = its_generation FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'MBP20', MESSAGE = format('The tables of %s were replaced.', projection);
  END IF;
  UPDATE mt_event_progression SET last_seq_id = to_position, last_updated = clock_timestamp()
  WHERE name = 'mbp:' || projection AND last_seq_id = from_position;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'MBP20', MESSAGE = format('%s is not at position %s any more: another process follows, too.', projection, from_position);
  END IF;
END $$;
