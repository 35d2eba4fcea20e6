using System.Diagnostics;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>How far a rebuild is, for whoever shows it.</summary>
public sealed class RebuildProgress
{
    private readonly Stopwatch _watch = new();
    private long _position;
    private long _head;
    private volatile string _phase = "waiting";

    /// <summary><c>folding</c>, <c>indexing</c>, <c>catching up</c>, <c>comparing</c>, <c>swapping</c>, <c>done</c>.</summary>
    public string Phase
    {
        get => _phase;
        internal set
        {
            _watch.Start();
            _phase = value;
        }
    }

    /// <summary>The last event that was folded.</summary>
    public long Position { get => Volatile.Read(ref _position); internal set => Volatile.Write(ref _position, value); }

    /// <summary>The ledger's head, as far as it is known here.</summary>
    public long Head { get => Volatile.Read(ref _head); internal set => Volatile.Write(ref _head, value); }

    public double EventsPerSecond => Position / Math.Max(_watch.Elapsed.TotalSeconds, 0.001);

    /// <summary>How long the folding will still take at this rate.</summary>
    public TimeSpan Remaining => TimeSpan.FromSeconds(EventsPerSecond > 0 ? Math.Min((Head - Position) / EventsPerSecond, 86_400) : 0);
}

/// <summary>One table's rows, old against new.</summary>
/// <param name="Table">Its name.</param>
/// <param name="Rows">How many the new one has.</param>
/// <param name="Digest">Over every row of the new one.</param>
/// <param name="Comparison"><c>equal</c>, <c>DIFFERENT</c>, or why the two were not compared.</param>
public sealed record TableDigest(string Table, long Rows, string Digest, string Comparison);

/// <summary>What a rebuild did.</summary>
/// <param name="Projections">Which projections.</param>
/// <param name="Events">Events that were folded.</param>
/// <param name="FoldSeconds">Reading, folding, COPY.</param>
/// <param name="IndexSeconds">Keys, indexes, ANALYZE.</param>
/// <param name="CompareSeconds">Digests of old and new.</param>
/// <param name="TotalSeconds">All of it, with catching up and the swap.</param>
/// <param name="Position">The position at which old and new were compared; 0 = they were not.</param>
/// <param name="Swapped">Whether the new tables serve now; false for a dry run.</param>
/// <param name="Tables">Each table.</param>
public sealed record RebuildReport(
    IReadOnlyList<string> Projections,
    long Events,
    double FoldSeconds,
    double IndexSeconds,
    double CompareSeconds,
    double TotalSeconds,
    long Position,
    bool Swapped,
    IReadOnlyList<TableDigest> Tables)
{
    /// <summary>Events a second until the new tables could serve: everything but the comparison.</summary>
    public double EventsPerSecond => Events / Math.Max(TotalSeconds - CompareSeconds, 0.001);

    /// <summary>Whether no table was found to differ.</summary>
    public bool DigestEqual => Tables.All(table => table.Comparison != ProjectionRebuild.Different);
}

/// <summary>A second rebuild was asked for while one is under way.</summary>
public sealed class RebuildUnderWayException() : Exception(
    "Another rebuild is under way, in this host or by somebody's command. Wait for it, or stop it; then try again.");
