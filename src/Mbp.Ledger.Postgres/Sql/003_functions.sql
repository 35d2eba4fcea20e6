-- Takes the lease of a shard: the next epoch, and the head raised over what others appended. The caller holds the advisory lock.
-- Runs as the owner, because only the owner may wait for foreign appends by locking mt_events, and so that nobody else writes an epoch.
CREATE FUNCTION ledger_take_lease(shard_name text, new_holder text, OUT new_epoch bigint, OUT new_position bigint, OUT new_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  other text;
BEGIN
  SELECT h.shard INTO other FROM ledger_head h WHERE h.shard <> shard_name LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'MBP04',
      MESSAGE = format('This database is the ledger of shard "%s"; shard "%s" needs a database of its own.', other, shard_name);
  END IF;

  INSERT INTO ledger_head (shard, position, epoch, at, holder)
  VALUES (shard_name, 0, 0, 'epoch', new_holder) ON CONFLICT (shard) DO NOTHING;

  -- A commit of an earlier holder that is still under way ends here, one way or the other.
  SELECT h.position INTO new_position FROM ledger_head h WHERE h.shard = shard_name FOR UPDATE;

  IF EXISTS (SELECT FROM mt_events e WHERE e.seq_id > new_position) THEN
    -- Foreign events are taken over. One with a lower number may still be uncommitted: wait for it, or readers would pass it by.
    LOCK TABLE mt_events IN SHARE MODE;
    PERFORM setval('mt_events_sequence', greatest((SELECT max(seq_id) FROM mt_events), (SELECT last_value FROM mt_events_sequence)));
  END IF;

  UPDATE ledger_head h SET
    epoch = h.epoch + 1,
    holder = new_holder,
    position = greatest(h.position, coalesce((SELECT max(e.seq_id) FROM mt_events e), 0)),
    at = greatest(h.at, coalesce((SELECT max(e.timestamp) FROM mt_events e WHERE e.seq_id > h.position), h.at))
  WHERE h.shard = shard_name
  RETURNING h.epoch, h.position, h.at INTO new_epoch, new_position, new_at;
END $$;
REVOKE ALL ON FUNCTION ledger_take_lease FROM PUBLIC;

-- The end of a commit: raises unless every guard held, so that the implicit transaction takes everything back.
CREATE FUNCTION ledger_seal(
  shard_name text, lease_epoch bigint, expected bigint, event_count bigint,
  advanced bigint, moved text[], written bigint,
  new_ids text[], old_ids text[], old_expected bigint[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  head ledger_head;
  wrong record;
  sealed bigint := expected + event_count;
BEGIN
  IF advanced <> 1 THEN
    SELECT * INTO head FROM ledger_head h WHERE h.shard = shard_name;
    IF head.epoch IS DISTINCT FROM lease_epoch THEN
      RAISE EXCEPTION USING ERRCODE = 'MBP01',
        MESSAGE = format('The lease of epoch %s is over: epoch %s is held by %s.', lease_epoch, head.epoch, head.holder);
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'MBP03',
      MESSAGE = format('The ledger has grown past this writer: it knows position %s, the head is %s and the last event is %s.',
        expected, head.position, (SELECT max(seq_id) FROM mt_events));
  END IF;

  IF cardinality(moved) <> cardinality(new_ids) + cardinality(old_ids) THEN
    SELECT u.id, coalesce(s.version, 0) AS present, u.expected INTO wrong
    FROM unnest(new_ids || old_ids, array_fill(0::bigint, ARRAY[cardinality(new_ids)]) || old_expected) AS u (id, expected)
    LEFT JOIN mt_streams s ON s.id = u.id
    WHERE u.id <> ALL (moved)
    LIMIT 1;
    RAISE EXCEPTION USING ERRCODE = 'MBP02',
      MESSAGE = format('Stream %s is at version %s, the batch expects %s.', wrong.id, wrong.present, wrong.expected);
  END IF;

  IF written <> event_count THEN
    RAISE EXCEPTION USING ERRCODE = 'MBP02', MESSAGE = format('%s events were written instead of %s.', written, event_count);
  END IF;

  IF event_count > 0 THEN
    -- A sequence does not roll back; it may run ahead of the head, never behind it.
    PERFORM setval('mt_events_sequence', greatest(sealed, (SELECT last_value FROM mt_events_sequence)));
    PERFORM pg_notify('mbp_ledger', sealed::text);
  END IF;
  RETURN sealed;
END $$;
