-- The one way a stored text goes (ADR 0011). First an event says what and why, in the log; then ledger_erase does exactly that, for a role that can
-- do nothing else with the ledger. What a setting or a role could switch on, a writer could: so the trigger asks for a row that only the function
-- can have written, in this very transaction, in a table that nobody but the owner may touch.
CREATE TABLE ledger_erasing (
  transaction xid8   NOT NULL CONSTRAINT pk_ledger_erasing PRIMARY KEY,
  position    bigint NOT NULL
);

-- Runs as the owner, to look into ledger_erasing whoever the statement is of. Its path holds nothing that others may put functions into.
CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND TG_TABLE_NAME IN ('mt_events', 'ledger_salt')
    AND EXISTS (SELECT FROM public.ledger_erasing e WHERE e.transaction = pg_current_xact_id_if_assigned()) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION USING
    ERRCODE = 'MBP10',
    MESSAGE = format('%s is append-only: %s is refused.', TG_TABLE_NAME, TG_OP),
    HINT = 'A wrong event is corrected by a later event, never by changing the past.';
END $$;

-- Salts were the one table without a guard.
CREATE TRIGGER mbp_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_salt
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE ledger_salt ENABLE ALWAYS TRIGGER mbp_append_only;

-- Takes the named texts of one event and its salt out of the ledger, if payload_erased was appended for exactly them. Once more is no harm.
-- Returns whether anything had to be done.
CREATE FUNCTION ledger_erase(erased_position bigint, fields text[])
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  nothing constant bytea := decode(repeat('00', 16), 'hex');
  stored public.mt_events;
  rest jsonb;
  batch_end bigint;
  begins int;
  kept bytea;
  field text;
BEGIN
  SELECT * INTO stored FROM public.mt_events e WHERE e.seq_id = erased_position;
  -- What was announced is of this event and no other: the decider looked at the type that the announcement names.
  IF NOT EXISTS (
    SELECT FROM public.mt_events e
    WHERE e.stream_id = 'custody' AND e.type = 'payload_erased'
      AND e.data -> 'position' = to_jsonb(erased_position) AND e.data -> 'fields' = to_jsonb(fields)
      AND e.data ->> 'type' = stored.type AND e.data ->> 'stream' = stored.stream_id
  ) OR coalesce(cardinality(fields), 0) = 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'MBP11',
      MESSAGE = format('Nothing is erased at position %s without an event payload_erased for exactly %s.', erased_position, fields);
  END IF;

  SELECT l.last_position, (erased_position - l.first_position) * 16 + 1 INTO batch_end, begins
  FROM public.ledger_leaf l WHERE l.last_position >= erased_position ORDER BY l.last_position LIMIT 1;
  SELECT s.salts INTO kept FROM public.ledger_salt s WHERE s.last_position = batch_end FOR UPDATE;
  IF stored.seq_id IS NULL OR kept IS NULL OR begins < 1 OR begins + 15 > octet_length(kept) THEN
    RAISE EXCEPTION USING ERRCODE = 'MBP12', MESSAGE = format('There is no event with a salt at position %s.', erased_position);
  END IF;

  rest := stored.data;
  FOREACH field IN ARRAY fields LOOP
    IF jsonb_typeof(rest -> field) IS DISTINCT FROM 'string' THEN
      RAISE EXCEPTION USING ERRCODE = 'MBP12', MESSAGE = format('The event at position %s has no text %s.', erased_position, field);
    END IF;
    rest := jsonb_set(rest, ARRAY[field], '"[erased]"');
  END LOOP;
  IF rest = stored.data AND substring(kept FROM begins FOR 16) = nothing THEN
    RETURN false;
  END IF;

  INSERT INTO public.ledger_erasing (transaction, position) VALUES (pg_current_xact_id(), erased_position);
  UPDATE public.mt_events SET data = rest WHERE seq_id = erased_position;
  UPDATE public.ledger_salt SET salts = overlay(kept PLACING nothing FROM begins FOR 16) WHERE last_position = batch_end;
  DELETE FROM public.ledger_erasing WHERE transaction = pg_current_xact_id();
  RETURN true;
END $$;
REVOKE ALL ON FUNCTION ledger_erase FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_erase TO mbp_vault;

-- A state that was kept may hold the text, and is made again from the events.
CREATE FUNCTION ledger_forget_snapshots(erased_position bigint) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.ledger_snapshot s USING public.mt_events e WHERE e.seq_id = erased_position AND s.stream_id = e.stream_id;
$$;
REVOKE ALL ON FUNCTION ledger_forget_snapshots FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_forget_snapshots TO mbp_vault;
