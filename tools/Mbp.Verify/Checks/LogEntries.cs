using System.Buffers;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Verify.Output;
using Mbp.Verify.Sites;

namespace Mbp.Verify.Checks;

/// <summary>Single entries of a log, by position, believed only as far as the signed tree goes.</summary>
internal sealed class LogEntries(ISite site, Checkpoint checkpoint)
{
    private readonly SiteTiles _tiles = new(site);

    public TileTree Tree { get; } = TileTree.For(checkpoint, new SiteTiles(site));

    /// <summary>The entry's bytes, which hash to the leaf of the tree.</summary>
    /// <exception cref="LogFaultException">The bundle does not have the entry that the tree commits to.</exception>
    public async Task<byte[]> EntryAsync(long position, CancellationToken cancellationToken)
    {
        var index = (position - 1) / TilePath.FullWidth;
        var path = TilePath.Bundle(index, (int)Math.Min(TilePath.FullWidth, checkpoint.Size - (index * TilePath.FullWidth)));
        var bytes = await _tiles.ReadAsync(path, cancellationToken).ConfigureAwait(false);
        byte[] entry;
        try
        {
            entry = LeafBatch.Entries(bytes).ElementAtOrDefault((int)((position - 1) % TilePath.FullWidth)).ToArray();
        }
        catch (InvalidDataException e)
        {
            throw new LogFaultException(LogFaultKind.Entry, $"{path} ends within an entry: {e.Message}", path, position);
        }

        return MerkleTree.LeafHash(entry) == await Tree.HashAsync(0, position - 1, cancellationToken).ConfigureAwait(false)
            ? entry
            : throw new LogFaultException(LogFaultKind.Entry, $"the entry in {path} is not the one that the tree commits to.", path, position);
    }

    /// <summary>The event that the site gives for a position; null where it gives none.</summary>
    public async Task<ExportedEvent?> EventAsync(long position, CancellationToken cancellationToken)
    {
        var file = ExportPaths.Events((position - 1) / TilePath.FullWidth);
        if (await site.ReadAsync(file, cancellationToken).ConfigureAwait(false) is { } bytes)
        {
            var line = FullCheck.Lines(bytes).ElementAtOrDefault((int)((position - 1) % TilePath.FullWidth));
            return line.IsEmpty ? null : ExportedEvent.Parse(line);
        }

        // A host has the log below /log and the events beside it.
        return await site.ReadAsync(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"../events/{position}"), cancellationToken).ConfigureAwait(false) is { } answer
            ? ExportedEvent.Parse(answer, strict: false)
            : null;
    }

    /// <summary>Whether a position is one of the log's; a fault of the question, not of the log.</summary>
    public void Within(long position)
    {
        if (position < 1 || position > checkpoint.Size)
        {
            throw new CannotAskException($"The log's checkpoint covers positions 1 to {checkpoint.Size}, not {position}.");
        }
    }

    /// <summary>Opens an event against its entry.</summary>
    public async Task OpenAsync(ExportedEvent exported, Report report, CancellationToken cancellationToken)
    {
        var entry = await EntryAsync(exported.Position, cancellationToken).ConfigureAwait(false);
        if (exported.Differs(entry, new ArrayBufferWriter<byte>()) is { } difference)
        {
            report.Fault(FaultKind.Event, difference, position: exported.Position);
        }
    }
}
