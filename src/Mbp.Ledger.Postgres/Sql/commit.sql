-- One batch, one statement, one round trip, one implicit transaction. Every part hangs on the head row: if the fence does not hold, nothing
-- is written at all; if a later guard does not hold, ledger_seal raises and everything is taken back.
WITH head AS (
  UPDATE ledger_head SET position = position + $4, at = coalesce($5, at)
  WHERE shard = $1 AND epoch = $2 AND position = $3 AND NOT EXISTS (SELECT FROM mt_events WHERE seq_id > $3)
  RETURNING position
),
started AS (
  INSERT INTO mt_streams (id, version, timestamp, created, tenant_id, is_archived)
  SELECT s.id, s.version, $5, $5, '*DEFAULT*', false
  FROM head, unnest($6, $7) AS s (id, version)
  ON CONFLICT (id) DO UPDATE SET version = excluded.version, timestamp = excluded.timestamp WHERE mt_streams.version = 0
  RETURNING mt_streams.id
),
continued AS (
  UPDATE mt_streams SET version = s.version, timestamp = $5
  FROM head, unnest($8, $9, $10) AS s (id, expected, version)
  WHERE mt_streams.id = s.id AND mt_streams.version = s.expected
  RETURNING mt_streams.id
),
moved AS (
  SELECT ARRAY(SELECT id FROM started UNION ALL SELECT id FROM continued) AS streams
),
written AS (
  INSERT INTO mt_events
    (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type, correlation_id, causation_id, headers, is_archived)
  SELECT $3 + e.n, e.id, e.stream_id, e.version, e.data, e.type, e.at, '*DEFAULT*', e.dotnet_type, e.correlation_id, e.causation_id, e.headers, false
  FROM head, moved, unnest($11, $12, $13, $14, $15, $16, $17, $18, $19, $20) WITH ORDINALITY
    AS e (id, stream_id, version, data, type, at, dotnet_type, correlation_id, causation_id, headers, n)
  -- With a stream at another version this would only fail on a key, and say less than ledger_seal does.
  WHERE cardinality(moved.streams) = cardinality($6) + cardinality($8)
  RETURNING 1
),
logged AS (
  INSERT INTO ledger_leaf (last_position, first_position, leaves, hashes)
  SELECT $3 + $4, $3 + 1, $30, $31 FROM head WHERE $4 > 0
),
salted AS (
  INSERT INTO ledger_salt (last_position, salts)
  SELECT $3 + $4, $32 FROM head WHERE $4 > 0
),
answered AS (
  INSERT INTO ledger_command (principal, key, hash, last_position, event_count, at)
  SELECT c.principal, c.key, c.hash, $3 + c.last_event, c.event_count, c.at
  FROM head, unnest($21, $22, $23, $24, $25, $26) AS c (principal, key, hash, last_event, event_count, at)
),
sent AS (
  INSERT INTO ledger_outbox (id, position, destination, body, at)
  SELECT m.id, $3 + $4, m.destination, m.body, now()
  FROM head, unnest($27, $28, $29) AS m (id, destination, body)
)
SELECT ledger_seal(
  $1, $2, $3, $4,
  (SELECT count(*) FROM head),
  (SELECT streams FROM moved),
  (SELECT count(*) FROM written),
  $6, $8, $9)
