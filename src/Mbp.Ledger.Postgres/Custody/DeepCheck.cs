using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres.Reading;
using Npgsql;

namespace Mbp.Ledger.Postgres.Custody;

/// <summary>
/// Holds every stored event to what the log committed to (integrity.md, section 1.2): the row and its salt must give the entry, and the entry its
/// hash. The tree sees whoever edits an entry; only this sees whoever edits an event and leaves its entry alone.
/// </summary>
/// <param name="connections">Only the reader's is used.</param>
/// <param name="store">The ledger.</param>
/// <param name="erasable">The names of the texts that may be erased of an event of a type: an announcement of anything else founds no erasure.</param>
public sealed class DeepCheck(RoleConnections connections, IEventStore store, Func<string, IReadOnlyList<string>> erasable) : IAsyncDisposable
{
    // Long enough that a query costs nothing for each event, short enough that a few of them are no memory to speak of.
    private const int Stride = 4_000;

    private static readonly byte[] NoSalt = new byte[Leaf.SaltSize];

    // A name that no stream has, for an event without one.
    private static readonly StreamId Nameless = StreamId.Parse("?");

    private readonly NpgsqlDataSource _reader = RoleConnections.Pool("mbp_deep_check", connections.Reader, c =>
    {
        c.Options = $"{c.Options} -c jit=off -c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off -c enable_hashjoin=off".Trim();
        c.ReadBufferSize = 64 * 1024;
        c.NoResetOnClose = true;
    });

    private Dictionary<long, Erasure[]> _erasures = [];
    private long _position;

    public DeepCheckReport Report { get; } = new();

    /// <summary>How many positions are done; they are not done in order.</summary>
    public long Position => Interlocked.Read(ref _position);

    /// <summary>Reads what was erased; before the first page. An erasure after it is found when a page needs it.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken) =>
        _erasures = (await Erasures.ReadAsync(store, cancellationToken).ConfigureAwait(false)).GroupBy(e => e.Position).ToDictionary(group => group.Key, group => group.ToArray());

    /// <summary>The events after one position up to another, on all cores.</summary>
    public async Task RunAsync(long after, long upTo, CancellationToken cancellationToken)
    {
        await PrepareAsync(cancellationToken).ConfigureAwait(false);
        var ranges = Ranges(after, upTo);
        await Parallel.ForEachAsync(
            ranges, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(2, Environment.ProcessorCount), CancellationToken = cancellationToken },
            async (range, ct) => await InspectAsync(range.After, range.UpTo, ct).ConfigureAwait(false)).ConfigureAwait(false);
    }

    /// <summary>One page: all events after a position up to another, in order. Any number of threads may be here.</summary>
    public async Task InspectAsync(long after, long upTo, IReadOnlyList<StoredEvent> events, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(events);
        if (upTo <= after)
        {
            return;
        }

        var suspects = await LookAsync(after, upTo, events, cancellationToken).ConfigureAwait(false);
        if (suspects.Count > 0)
        {
            await JudgeAsync(suspects, cancellationToken).ConfigureAwait(false);
        }

        Interlocked.Add(ref _position, upTo - after);
    }

    public ValueTask DisposeAsync() => _reader.DisposeAsync();

    private static IEnumerable<(long After, long UpTo)> Ranges(long after, long upTo)
    {
        for (; after < upTo; after += Stride)
        {
            yield return (after, Math.Min(upTo, after + Stride));
        }
    }

    private static string Events(long after, long upTo) => string.Create(
        CultureInfo.InvariantCulture, $"SELECT seq_id, stream_id, version, id, type, data, timestamp, headers FROM mt_events WHERE seq_id > {after} AND seq_id <= {upTo} ORDER BY seq_id");

    // The first row that reaches the end of the range bounds the walk: nothing says so of first_position, which has no index.
    private static string Leaves(long after, long upTo) => string.Create(
        CultureInfo.InvariantCulture,
        $"""
         SELECT l.first_position, l.last_position, l.leaves, l.hashes, s.salts
         FROM ledger_leaf l LEFT JOIN ledger_salt s ON s.last_position = l.last_position
         WHERE l.last_position > {after} AND l.last_position <= coalesce((SELECT min(last_position) FROM ledger_leaf WHERE last_position >= {upTo}), {upTo})
         ORDER BY l.last_position
         """);

    private async Task InspectAsync(long after, long upTo, CancellationToken cancellationToken)
    {
        using var rows = new CopyOut();
        await using (var connection = await _reader.OpenConnectionAsync(cancellationToken).ConfigureAwait(false))
        {
            await rows.FillAsync(connection, Events(after, upTo), cancellationToken).ConfigureAwait(false);
        }

        var events = new List<StoredEvent>((int)(upTo - after));
        while (rows.Next())
        {
            events.Add(new StoredEvent(
                rows.Whole(), rows.Name() is { Length: > 0 and <= StreamId.MaxLength } stream ? StreamId.Parse(stream) : Nameless, rows.Whole(), rows.Guid(), rows.Name(), rows.Json(),
                rows.Time(), CorrelationId: "", CausationId: "", rows.Json()));
        }

        await InspectAsync(after, upTo, events, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Goes through a page; what is wrong with its entries is said at once, and what an erasure might explain is returned.</summary>
    private async Task<List<Suspect>> LookAsync(long after, long upTo, IReadOnlyList<StoredEvent> events, CancellationToken cancellationToken)
    {
        using var rows = new CopyOut();
        await using (var connection = await _reader.OpenConnectionAsync(cancellationToken).ConfigureAwait(false))
        {
            await rows.FillAsync(connection, Leaves(after, upTo), cancellationToken).ConfigureAwait(false);
        }

        var page = new Page(after, upTo, events, Report);
        while (rows.Next())
        {
            page.Take(rows.Whole(), rows.Whole(), rows.Bytes().Span, rows.Bytes().Span, rows.Bytes().Span);
        }

        page.End();
        return page.Suspects;
    }

    /// <summary>An event that does not open its entry is a fault, unless the ledger says that it was erased and it is as the erasure left it.</summary>
    private async Task JudgeAsync(List<Suspect> suspects, CancellationToken cancellationToken)
    {
        if (suspects.Any(suspect => !_erasures.ContainsKey(suspect.Event.Position)))
        {
            await PrepareAsync(cancellationToken).ConfigureAwait(false);
        }

        foreach (var suspect in suspects)
        {
            var position = suspect.Event.Position;
            if (!_erasures.TryGetValue(position, out var erasures))
            {
                Report.Fail(position, suspect.Kind, suspect.Salt.SequenceEqual(NoSalt) ? $"{suspect.What}; its salt is gone, and no erasure was announced" : suspect.What);
            }
            else if (WhyNotErased(suspect, erasures) is { } why)
            {
                Report.Fail(position, LeafFaultKind.ErasureUnfounded, $"{suspect.What}; an erasure was announced at position {erasures[^1].At}, but {why}");
            }
            else
            {
                Report.Trust(position);
            }
        }
    }

    private string? WhyNotErased(Suspect suspect, Erasure[] erasures)
    {
        if (suspect.Kind != LeafFaultKind.DataEdited)
        {
            return "the entry is not what it was";
        }

        if (!suspect.Salt.SequenceEqual(NoSalt))
        {
            return "the salt is still there, so the event must open its entry";
        }

        if (!SaysTheSame(suspect.Again, suspect.Entry))
        {
            return "the event is not the one that the entry is of";
        }

        var fields = erasures.SelectMany(erasure => erasure.Fields).ToList();
        if (!Array.TrueForAll(erasures, erasure => erasure.Type == suspect.Event.Type && erasure.Stream == suspect.Event.Stream.Value))
        {
            return $"it names another event than this {suspect.Event.Type} of {suspect.Event.Stream}";
        }

        if (fields.Except(erasable(suspect.Event.Type)).FirstOrDefault() is { } kept)
        {
            return $"'{kept}' of a {suspect.Event.Type} may not be erased";
        }

        return Rest(suspect.Event) == erasures[^1].RestSha256 ? null : "what is left is not what it was then";
    }

    private static string? Rest(StoredEvent stored)
    {
        try
        {
            return Erased.RestOf(stored.Data.Span, stored.Headers.Span);
        }
        catch (CanonicalJsonException)
        {
            return null;
        }
    }

    /// <summary>Whether two entries differ in nothing but the commitments. Both were made by <see cref="Leaf"/>, so these are in the same place.</summary>
    private static bool SaysTheSame(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        const int Data = 44;
        const int Commitment = 44;
        const int Headers = Data + Commitment + 13;
        const int Rest = Headers + Commitment;
        return one.Length == other.Length && one.Length > Rest
            && one[..Data].SequenceEqual(other[..Data]) && one[Rest..].SequenceEqual(other[Rest..]);
    }

    /// <summary>An event that does not give the stored entry or hash.</summary>
    /// <param name="Event">The event.</param>
    /// <param name="Salt">Its salt.</param>
    /// <param name="Again">The entry that they give; empty where they give none.</param>
    /// <param name="Entry">The stored one.</param>
    private sealed record Suspect(StoredEvent Event, byte[] Salt, byte[] Again, byte[] Entry, LeafFaultKind Kind, string What);

    /// <summary>The walk through a page's positions: events and entries, each in order.</summary>
    private sealed class Page(long after, long upTo, IReadOnlyList<StoredEvent> events, DeepCheckReport report)
    {
        private readonly long _after = after;
        private readonly ArrayBufferWriter<byte> _again = new(512);
        private long _position = after;
        private long _voids;
        private int _next;

        public List<Suspect> Suspects { get; } = [];

        /// <summary>A row of entries; it may begin before the page and end after it.</summary>
        public void Take(long first, long last, ReadOnlySpan<byte> leaves, ReadOnlySpan<byte> hashes, ReadOnlySpan<byte> salts)
        {
            Uncovered(Math.Min(first - 1, upTo));
            for (var i = 0; i <= last - first && first + i <= upTo; i++)
            {
                var entry = Cut(ref leaves);
                if (first + i > _position)
                {
                    _position = first + i;
                    Look(
                        entry, hashes.Length >= (i + 1) * MerkleHash.Size ? hashes.Slice(i * MerkleHash.Size, MerkleHash.Size) : default,
                        salts.Length >= (i + 1) * Leaf.SaltSize ? salts.Slice(i * Leaf.SaltSize, Leaf.SaltSize) : default);
                }
            }
        }

        public void End()
        {
            Uncovered(upTo);
            report.Checked(upTo - _after, _voids);
        }

        /// <summary>The next entry; none where the row ends too soon or its lengths are not right.</summary>
        private static ReadOnlySpan<byte> Cut(ref ReadOnlySpan<byte> leaves)
        {
            var end = leaves.Length < sizeof(ushort) ? int.MaxValue : sizeof(ushort) + BinaryPrimitives.ReadUInt16BigEndian(leaves);
            if (end > leaves.Length)
            {
                leaves = default;
                return default;
            }

            var entry = leaves[sizeof(ushort)..end];
            leaves = leaves[end..];
            return entry;
        }

        private void Uncovered(long upTo)
        {
            for (; _position < upTo; _position++)
            {
                report.Fail(
                    _position + 1, LeafFaultKind.LeafMissing,
                    Event(_position + 1) is { } stored ? $"{stored.Stream} has an event, and the log has no entry for it" : "the log has no entry, and the ledger no event");
            }
        }

        private StoredEvent? Event(long position)
        {
            while (_next < events.Count && events[_next].Position < position)
            {
                _next++;
            }

            return _next < events.Count && events[_next].Position == position ? events[_next] : null;
        }

        private void Look(ReadOnlySpan<byte> entry, ReadOnlySpan<byte> hash, ReadOnlySpan<byte> salt)
        {
            var stored = Event(_position);
            if (stored is null)
            {
                Absent(entry, hash);
                return;
            }

            if (entry.SequenceEqual(Leaf.Void))
            {
                report.Fail(_position, LeafFaultKind.EventInserted, $"{stored.Stream} has an event, and the log says that there was none");
                return;
            }

            _again.ResetWrittenCount();
            var again = Write(stored, salt);
            if (again is { } leaf && hash.Length == MerkleHash.Size && leaf == new MerkleHash(hash) && entry.SequenceEqual(_again.WrittenSpan))
            {
                return;
            }

            var hashHolds = hash.Length == MerkleHash.Size && MerkleTree.LeafHash(entry) == new MerkleHash(hash);
            var rowHolds = again is { } made && hash.Length == MerkleHash.Size && made == new MerkleHash(hash);
            var entryHolds = again is not null && entry.SequenceEqual(_again.WrittenSpan);
            var (kind, what) = (hashHolds, rowHolds, entryHolds) switch
            {
                (_, _, true) => (LeafFaultKind.LeafEdited, "the event gives its entry, whose stored hash is another"),
                (_, true, _) => (LeafFaultKind.LeafEdited, "the event gives the stored hash, the stored entry does not"),
                (true, _, _) => (LeafFaultKind.DataEdited, $"the event does not give its entry ({Differences(_again.WrittenSpan, entry)}), which its hash agrees with"),
                _ => (LeafFaultKind.BothEdited, "event, entry and hash agree in no pair"),
            };
            Suspects.Add(new Suspect(stored, salt.ToArray(), _again.WrittenSpan.ToArray(), entry.ToArray(), kind, $"{stored.Stream} version {stored.Version}: {what}"));
        }

        private void Absent(ReadOnlySpan<byte> entry, ReadOnlySpan<byte> hash)
        {
            if (!entry.SequenceEqual(Leaf.Void))
            {
                report.Fail(_position, LeafFaultKind.EventMissing, "the log has an entry, and the ledger no event");
            }
            else if (hash.Length != MerkleHash.Size || MerkleTree.LeafHash(entry) != new MerkleHash(hash))
            {
                report.Fail(_position, LeafFaultKind.LeafEdited, "the entry is void, and its hash is another's");
            }
            else
            {
                _voids++;
            }
        }

        private MerkleHash? Write(StoredEvent stored, ReadOnlySpan<byte> salt)
        {
            if (salt.Length != Leaf.SaltSize)
            {
                return null;
            }

            try
            {
                return Leaf.Write(stored, salt, _again);
            }
            catch (CanonicalJsonException)
            {
                // A foreign body without a canonical form: its text was committed to.
                return TryWrite(LeafAdoption.AsText(stored), salt);
            }
            catch (ArgumentException)
            {
                return null;
            }
        }

        private MerkleHash? TryWrite(StoredEvent stored, ReadOnlySpan<byte> salt)
        {
            try
            {
                return Leaf.Write(stored, salt, _again);
            }
            catch (Exception e) when (e is CanonicalJsonException or ArgumentException)
            {
                return null;
            }
        }

        private static string Differences(ReadOnlySpan<byte> again, ReadOnlySpan<byte> entry)
        {
            const int Commitment = 44;
            const int At = 44;
            if (again.IsEmpty)
            {
                return "it gives none";
            }

            if (again.Length < At + Commitment || entry.Length < At + Commitment)
            {
                return "another shape";
            }

            var parts = new List<string>(4);
            Add("time", !again[..At].SequenceEqual(entry[..At]));
            Add("body", !again.Slice(At, Commitment).SequenceEqual(entry.Slice(At, Commitment)));
            Add("headers, id, stream, type or version", !again[(At + Commitment)..].SequenceEqual(entry[(At + Commitment)..]));
            return string.Join("; ", parts);

            void Add(string part, bool differs)
            {
                if (differs)
                {
                    parts.Add(part);
                }
            }
        }
    }
}
