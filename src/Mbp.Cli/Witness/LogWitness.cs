using System.Globalization;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using NodaTime;

namespace Mbp.Cli.Witness;

/// <summary>An answer in the terms of HTTP.</summary>
internal sealed record WitnessAnswer(int Status, string Body, string Type = "text/plain; charset=utf-8");

/// <summary>
/// Signs a log's checkpoints as long as each extends the one before (C2SP tlog-witness). It keeps no copy of the log: a size and a root are enough
/// to see that what was signed once is not taken back.
/// </summary>
internal sealed class LogWitness
{
    private readonly WitnessStore _store;
    private readonly IClock _clock;
    private readonly Dictionary<string, Watched> _logs;
    private readonly Dictionary<string, Watched> _byHash;

    /// <param name="logs">The keys of the logs that are watched; a key's name is its log's origin, and a log may have several.</param>
    /// <inheritdoc cref="WitnessStore.Load" path="/exception"/>
    public LogWitness(WitnessStore store, IReadOnlyList<VerifierKey> logs, IClock clock)
    {
        (_store, _clock) = (store, clock);
        _logs = logs.GroupBy(key => key.Name, StringComparer.Ordinal)
            .ToDictionary(keys => keys.Key, keys => new Watched(keys.Key, [.. keys], store.Load(keys.Key)), StringComparer.Ordinal);
        _byHash = _logs.Values.ToDictionary(log => WitnessStore.NameOf(log.Origin), StringComparer.Ordinal);
    }

    /// <summary>Whoever asks, and whatever he sends.</summary>
    public WitnessAnswer Add(ReadOnlySpan<byte> request)
    {
        AddCheckpoint asked;
        Checkpoint checkpoint;
        try
        {
            asked = AddCheckpoint.Parse(request);
            checkpoint = Checkpoint.Of(asked.Note);
        }
        catch (LogFormatException e)
        {
            return new WitnessAnswer(400, $"{e.Message}\n");
        }

        if (!_logs.TryGetValue(checkpoint.Origin, out var log))
        {
            return new WitnessAnswer(404, "This witness does not watch the log of this origin.\n");
        }

        // A line that says it is a known key's and is not spoils the note, by C2SP signed-note.
        var states = log.Keys.Select(key => (Key: key, State: asked.Note.Verify(key))).ToList();
        if (states.Any(state => state.State == SignatureState.Invalid) || !states.Any(state => state.State == SignatureState.Valid))
        {
            return new WitnessAnswer(403, "No known key of the log has signed the checkpoint.\n");
        }

        if (asked.OldSize > checkpoint.Size)
        {
            return new WitnessAnswer(400, "The old size is larger than the checkpoint's.\n");
        }

        // Others' lines are others' affair.
        var known = asked.Note.Signatures.Where(line => log.Keys.Any(line.IsOf)).ToList();
        lock (log.Gate)
        {
            return Extend(log, asked, checkpoint, new SignedNote(asked.Note.Text, known));
        }
    }

    /// <summary>The last checkpoint that was signed for a log, by SHA-256 of its origin; null for none.</summary>
    public string? Latest(string hash) => _byHash.TryGetValue(hash, out var log) ? log.Last?.Format() : null;

    // To compare with the last one and to replace it is one step: a slower request must not put an older checkpoint back.
    private WitnessAnswer Extend(Watched log, AddCheckpoint asked, Checkpoint checkpoint, SignedNote note)
    {
        var (size, root) = log.Head;
        if (asked.OldSize != size)
        {
            return Stale(size);
        }

        if (checkpoint.Size == size && checkpoint.Root != root)
        {
            _store.KeepEvidence(checkpoint, note);
            return Stale(size);
        }

        if (!MerkleProof.VerifyConsistency(size, checkpoint.Size, root, checkpoint.Root, asked.Proof))
        {
            _store.KeepEvidence(checkpoint, note);
            return new WitnessAnswer(422, string.Create(CultureInfo.InvariantCulture, $"The proof does not lead from the tree of size {size} and root {root} to this one.\n"));
        }

        var line = Cosignature.Sign(_store.Key.Name, _store.PrivateKey, note.Text, _clock.GetCurrentInstant());
        var signed = note.With(line);
        _store.Save(log.Origin, signed);
        log.Last = signed;
        log.Head = (checkpoint.Size, checkpoint.Root);
        return new WitnessAnswer(200, $"{line.Line}\n");
    }

    private static WitnessAnswer Stale(long size) => new(409, AddCheckpoint.SizeText(size), AddCheckpoint.SizeType);

    private sealed class Watched
    {
        private volatile SignedNote? _last;

        public Watched(string origin, IReadOnlyList<VerifierKey> keys, SignedNote? last)
        {
            (Origin, Keys, _last) = (origin, keys, last);
            Head = last is null ? (0, MerkleTree.Empty) : (Checkpoint.Of(last).Size, Checkpoint.Of(last).Root);
        }

        public Lock Gate { get; } = new();

        public string Origin { get; }

        public IReadOnlyList<VerifierKey> Keys { get; }

        public (long Size, MerkleHash Root) Head { get; set; }

        public SignedNote? Last
        {
            get => _last;
            set => _last = value;
        }
    }
}
