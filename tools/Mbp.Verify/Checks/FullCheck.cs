using System.Buffers;
using System.Text.Json;
using System.Threading.Channels;
using Mbp.Domain.Audit;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Ledger;
using Mbp.Ledger.Json;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Verify.Output;
using Mbp.Verify.Sites;

namespace Mbp.Verify.Checks;

/// <summary>
/// Everything: each entry hashed into the tiles and up to the signed root, each event opened, each decision made again. Bundles of 256 are
/// worked on by all cores; what must go in order (the tree's upper part, the replay) by one.
/// </summary>
internal sealed class FullCheck(ISite site, Report report)
{
    private readonly SiteTiles _tiles = new(site);

    /// <param name="checkpoint">What was signed.</param>
    /// <param name="progress">Called with the positions done.</param>
    public async Task RunAsync(Checkpoint checkpoint, Action<long>? progress, CancellationToken cancellationToken)
    {
        var withEvents = checkpoint.Size > 0 && await HasEventsAsync(cancellationToken).ConfigureAwait(false);
        var replay = new Replay(report, partial: false);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var bundles = Channel.CreateBounded<Task<Bundle>>(Math.Clamp(2 * Environment.ProcessorCount, 4, 32));
        var starting = Task.Run(
            async () =>
            {
                try
                {
                    foreach (var path in TilePath.Bundles(checkpoint.Size))
                    {
                        await bundles.Writer.WriteAsync(Task.Run(() => OpenAsync(path, withEvents, stop.Token), stop.Token), stop.Token).ConfigureAwait(false);
                    }
                }
                finally
                {
                    bundles.Writer.Complete();
                }
            },
            CancellationToken.None);
        var (upper, subtrees, last, position) = (new TileBuilder(), new MerkleFrontier(), new MerkleFrontier(), 0L);
        try
        {
            await foreach (var opening in bundles.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                var bundle = await opening.ConfigureAwait(false);
                await AddAsync(bundle.Hashes, upper, subtrees, last, cancellationToken).ConfigureAwait(false);
                foreach (var (exported, recorded) in bundle.Events)
                {
                    replay.Take(exported, recorded);
                }

                progress?.Invoke(position += bundle.Hashes.Length);
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await starting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        foreach (var (path, hashes) in upper.PartialTiles())
        {
            await CompareAsync(TilePath.Tile(path.Level + 1, path.Index, path.Width), hashes, cancellationToken).ConfigureAwait(false);
        }

        var root = new MerkleFrontier(checkpoint.Size, [.. subtrees.Roots, .. last.Roots]).Root();
        if (root != checkpoint.Root)
        {
            report.Fault(FaultKind.Root, $"the {checkpoint.Size} entries have the root {root}, signed is {checkpoint.Root}", ExportPaths.Checkpoint);
        }
        else
        {
            report.Checked($"tree       {checkpoint.Size} entries hashed again, through all tiles to the signed root");
        }

        await FinishAsync(replay, withEvents, checkpoint, cancellationToken).ConfigureAwait(false);
    }

    private async Task FinishAsync(Replay replay, bool withEvents, Checkpoint checkpoint, CancellationToken cancellationToken)
    {
        if (!withEvents)
        {
            if (checkpoint.Size > 0)
            {
                report.Note($"{site.Name} has no events/: the entries are in the log, but what stands behind their commitments was not opened, and no market was decided again. An exported folder has them.");
            }

            return;
        }

        var before = report.FaultCount;
        replay.Finish();
        var settled = replay.Scopes.Settled.ToList();
        if (report.FaultCount == before)
        {
            report.Checked($"events     {checkpoint.Size} opened; {replay.Audit.Redecided} of {replay.Audit.Commands} commands decided again, to the same events");
            report.Checked($"markets    {settled.Count} settled ones: plan, every payout to the unit, and the sum of all credits after every command");
        }

        await MarketsAsync(replay, settled, cancellationToken).ConfigureAwait(false);
    }

    // The index says nothing of its own: it is what the events say, byte for byte. The rules must be those that the markets were opened under.
    private async Task MarketsAsync(Replay replay, List<MarketScope> settled, CancellationToken cancellationToken)
    {
        var index = await site.ReadAsync(ExportPaths.MarketIndex, cancellationToken).ConfigureAwait(false);
        if (index is not null && !index.AsSpan().SequenceEqual(System.Text.Encoding.UTF8.GetBytes(MarketIndex.Format(settled))))
        {
            report.Fault(FaultKind.Manifest, $"the index of settled markets is not the one that follows from the events, which have {settled.Count}", ExportPaths.MarketIndex);
        }

        foreach (var rules in replay.Scopes.All.GroupBy(scope => (scope.Ruleset, scope.PolicyHash)))
        {
            var path = ExportPaths.Ruleset(rules.Key.Ruleset, rules.Key.PolicyHash);
            if (await site.ReadAsync(path, cancellationToken).ConfigureAwait(false) is { } bytes)
            {
                CheckRuleset(report, bytes, path, rules.Key.PolicyHash, rules.First().CreatedAt);
            }
        }
    }

    public static void CheckRuleset(Report report, byte[] bytes, string path, string policyHash, long position)
    {
        try
        {
            var file = JsonSerializer.Deserialize<RulesetFile>(bytes, LedgerJson.Options);
            if (file is not { Holds: true } || file.Hash != policyHash)
            {
                report.Fault(FaultKind.Ruleset, $"its text has not the hash {policyHash}, which the market's first event names", path, position);
            }
        }
        catch (JsonException e)
        {
            report.Fault(FaultKind.Ruleset, $"it cannot be read: {e.Message}", path);
        }
    }

    private async Task<bool> HasEventsAsync(CancellationToken cancellationToken) =>
        (site.List() ?? []).Any(path => path.StartsWith("events/", StringComparison.Ordinal))
        || await site.ReadAsync(ExportPaths.Events(0), cancellationToken).ConfigureAwait(false) is not null;

    private async Task AddAsync(MerkleHash[] hashes, TileBuilder upper, MerkleFrontier subtrees, MerkleFrontier last, CancellationToken cancellationToken)
    {
        if (hashes.Length < TilePath.FullWidth)
        {
            foreach (var hash in hashes)
            {
                last.Append(hash);
            }

            return;
        }

        var root = MerkleTree.Root(hashes);
        subtrees.Append(root);
        foreach (var tile in upper.Append(root))
        {
            await CompareAsync(TilePath.Tile(tile.Level + 1, tile.Index), tile.Hashes, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task CompareAsync(TilePath path, ReadOnlyMemory<byte> computed, CancellationToken cancellationToken)
    {
        try
        {
            var served = await _tiles.ReadAsync(path, cancellationToken).ConfigureAwait(false);
            if (served.Length < computed.Length || !served.Span[..computed.Length].SequenceEqual(computed.Span) || served.Length % MerkleHash.Size != 0)
            {
                var at = served.Span.CommonPrefixLength(computed.Span) / MerkleHash.Size;
                var first = ((path.Index * TilePath.FullWidth) + at) << (8 * path.Level);
                report.Fault(FaultKind.Tile, $"its hash {at} is not that of the entries below it", path.ToString(), first + 1);
            }
        }
        catch (WithheldException e)
        {
            report.Fault(FaultKind.Missing, e.Message, e.Path);
        }
    }

    private async Task<Bundle> OpenAsync(TilePath path, bool withEvents, CancellationToken cancellationToken)
    {
        var entries = await EntriesAsync(path, cancellationToken).ConfigureAwait(false);
        var tile = await TileAsync(TilePath.Tile(0, path.Index, path.Width), cancellationToken).ConfigureAwait(false);
        var hashes = new MerkleHash[path.Width];
        for (var i = 0; i < hashes.Length; i++)
        {
            var listed = tile is null ? default(MerkleHash?) : new MerkleHash(tile.AsSpan(i * MerkleHash.Size, MerkleHash.Size));
            hashes[i] = entries is null ? listed ?? default : MerkleTree.LeafHash(entries[i].Span);
            if (listed is { } hash && hash != hashes[i])
            {
                report.Fault(FaultKind.Entry, "the entry does not have the hash that the tile of level 0 lists", path.ToString(), (path.Index * TilePath.FullWidth) + i + 1);
            }
        }

        return new Bundle(hashes, withEvents ? await EventsAsync(path, entries, cancellationToken).ConfigureAwait(false) : []);
    }

    private async Task<IReadOnlyList<ReadOnlyMemory<byte>>?> EntriesAsync(TilePath path, CancellationToken cancellationToken)
    {
        try
        {
            var bytes = await _tiles.ReadAsync(path, cancellationToken).ConfigureAwait(false);
            return EntryBundle.Parse(bytes, path.Width);
        }
        catch (LogFormatException e)
        {
            report.Fault(FaultKind.Entry, e.Message, path.ToString(), (path.Index * TilePath.FullWidth) + 1);
        }
        catch (WithheldException e)
        {
            report.Fault(FaultKind.Missing, e.Message, e.Path, (path.Index * TilePath.FullWidth) + 1);
        }

        return null;
    }

    private async Task<byte[]?> TileAsync(TilePath path, CancellationToken cancellationToken)
    {
        try
        {
            var bytes = await _tiles.ReadAsync(path, cancellationToken).ConfigureAwait(false);
            if (bytes.Length >= path.Width * MerkleHash.Size && bytes.Length % MerkleHash.Size == 0)
            {
                return bytes.ToArray();
            }

            report.Fault(FaultKind.Tile, $"it has {bytes.Length} bytes, not {path.Width * MerkleHash.Size}", path.ToString(), (path.Index * TilePath.FullWidth) + 1);
        }
        catch (WithheldException e)
        {
            report.Fault(FaultKind.Missing, e.Message, e.Path, (path.Index * TilePath.FullWidth) + 1);
        }

        return null;
    }

    private async Task<List<(ExportedEvent, Recorded?)>> EventsAsync(TilePath path, IReadOnlyList<ReadOnlyMemory<byte>>? entries, CancellationToken cancellationToken)
    {
        var (file, first) = (ExportPaths.Events(path.Index), (path.Index * TilePath.FullWidth) + 1);
        var events = new List<(ExportedEvent, Recorded?)>(path.Width);
        if (await site.ReadAsync(file, cancellationToken).ConfigureAwait(false) is not { } bytes)
        {
            report.Fault(FaultKind.Missing, "the events of these positions are not there", file, first);
            return events;
        }

        var scratch = new ArrayBufferWriter<byte>(1024);
        foreach (var line in Lines(bytes))
        {
            var position = first + events.Count;
            ExportedEvent? exported = null;
            try
            {
                exported = ExportedEvent.Parse(line);
                if (exported.Position != position || events.Count == path.Width)
                {
                    report.Fault(FaultKind.Event, $"line {events.Count + 1} is of position {exported.Position}, due is {(events.Count == path.Width ? "the end" : position)}", file, position);
                    return events;
                }

                if (entries is not null && exported.Differs(entries[events.Count].Span, scratch) is { } difference)
                {
                    report.Fault(FaultKind.Event, difference, file, position);
                }
            }
            catch (Exception e) when (e is LogFormatException or CanonicalJsonException or ArgumentException)
            {
                report.Fault(FaultKind.Event, e.Message, file, position);
                return events;
            }

            events.Add((exported, exported.Event is { } stored ? Replay.Decode(stored, report) : null));
        }

        if (events.Count != path.Width)
        {
            report.Fault(FaultKind.Event, $"the file has {events.Count} events, the log {path.Width} at these positions", file, first + events.Count);
        }

        return events;
    }

    internal static IEnumerable<ReadOnlyMemory<byte>> Lines(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var end = bytes.Span.IndexOf((byte)'\n');
            yield return end < 0 ? bytes : bytes[..end];
            bytes = end < 0 ? default : bytes[(end + 1)..];
        }
    }

    private sealed record Bundle(MerkleHash[] Hashes, List<(ExportedEvent Event, Recorded? Recorded)> Events);
}
