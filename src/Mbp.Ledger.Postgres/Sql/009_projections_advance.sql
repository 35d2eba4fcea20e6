-- Projections that are followed together move on together, in the transaction of all their rows: one look and one update for all of them.
CREATE FUNCTION mbp_projections_advance(projections text[], generations bigint[], from_positions bigint[], to_position bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  count bigint;
BEGIN
  PERFORM FROM mbp_projection p JOIN unnest(projections, generations) AS its (name, generation) ON p.name = its.name AND p.generation = its.generation
  ORDER BY p.name FOR SHARE OF p;
  GET DIAGNOSTICS count = ROW_COUNT;
  IF count < cardinality(projections) THEN
    RAISE EXCEPTION USING ERRCODE = 'MBP20', MESSAGE = format('The tables of one of %s were replaced.', projections);
  END IF;
  UPDATE mt_event_progression AS e SET last_seq_id = to_position, last_updated = clock_timestamp()
  FROM unnest(projections, from_positions) AS its (name, position)
  WHERE e.name = 'mbp:' || its.name AND e.last_seq_id = its.position;
  GET DIAGNOSTICS count = ROW_COUNT;
  IF count < cardinality(projections) THEN
    RAISE EXCEPTION USING ERRCODE = 'MBP20', MESSAGE = format('One of %s is not at its position any more: another process follows, too.', projections);
  END IF;
END $$;
DROP FUNCTION mbp_projection_advance(text, bigint, bigint, bigint);
