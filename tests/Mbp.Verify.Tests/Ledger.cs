using System.Text;
using System.Text.Json;
using Mbp.Domain;
using Mbp.Domain.Audit;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Tests.Audit;
using Mbp.Ledger;
using Mbp.Ledger.Json;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres.Log;
using NodaTime;

namespace Mbp.Verify.Tests;

/// <summary>A ledger as it stands before anybody exports it: events with their salts, to be tampered with as a superuser could.</summary>
internal sealed class Ledger
{
    private static readonly EventCatalog Catalog = Slices.Catalog();

    private static readonly Lazy<IReadOnlyList<NewEvent>> Told = new(() => Tell(Story.Tell()));

    /// <summary>The story's events as new ones, and then a few hundred of a foreign store's, so that there is more than one tile.</summary>
    public static IReadOnlyList<NewEvent> Events => Told.Value;

    /// <summary>The story in which a settlement is corrected twice.</summary>
    public static IReadOnlyList<NewEvent> Corrected() => Tell(Story.TellCorrected());

    private static List<NewEvent> Tell(IEnumerable<IReadOnlyList<Recorded>> story)
    {
        var events = story.SelectMany(command => command).Select(recorded => new NewEvent(
            Guid.CreateVersion7(), recorded.Stream, recorded.Version, Catalog.Encode(recorded.Data), recorded.At, "trace", recorded.Stored.CausationId, recorded.Stored.Headers)).ToList();
        var (at, foreign) = (events[^1].At, StreamId.Of("note", "1"));
        for (var version = 1; version <= 300; version++)
        {
            at += Duration.FromSeconds(1);
            events.Add(new NewEvent(Guid.CreateVersion7(), foreign, version, new EncodedEvent("noted", "x", Encoding.UTF8.GetBytes($$"""{"n":{{version}}}""")), at, "", $"note-{version}", default));
        }

        return events;
    }

    public static StoredEvent Stored(NewEvent e, long position) =>
        new(position, e.Stream, e.Version, e.Id, e.Body.Type, e.Body.Data, e.At, e.CorrelationId, e.CausationId, e.Headers);
}

/// <summary>A key and what it signs.</summary>
internal sealed class LogKeyPair : IDisposable
{
    public const string Origin = "test.example/mbp-ledger/1";

    private readonly Ed25519PrivateKey _key = Ed25519PrivateKey.Create();

    public LogKeyPair() => Signer = new Ed25519Signer(Origin, _key);

    public ICheckpointSigner Signer { get; }

    public string Vkey => Signer.Key.ToString();

    public SignedNote Sign(long size, MerkleHash root) => SignedNote.Sign(new Checkpoint(Origin, size, root).ToText(), Signer);

    public void Dispose() => _key.Dispose();
}

/// <summary>An export written by the kernel alone, as the operator's would be; whoever holds the key can write any other.</summary>
internal static class Exports
{
    /// <summary>Writes the folder; the same events and salts give the same tree.</summary>
    public static async Task<Checkpoint> WriteAsync(string folder, LogKeyPair key, IReadOnlyList<ExportedEvent> events, Func<SignedNote, SignedNote>? cosign = null)
    {
        var (export, scopes, tiles, catalog) = (ExportFolder.Create(folder), new MarketScopes(Slices.Catalog()), new TileBuilder(), Slices.Catalog());
        var full = new List<FullTile>();
        foreach (var bundle in events.Chunk(TilePath.FullWidth))
        {
            var index = (bundle[0].Position - 1) / TilePath.FullWidth;
            var (entries, lines) = (new List<ReadOnlyMemory<byte>>(), new System.Buffers.ArrayBufferWriter<byte>());
            foreach (var exported in bundle)
            {
                var entry = Entry(exported);
                entries.Add(entry);
                exported.Write(lines);
                full.AddRange(tiles.Append(MerkleTree.LeafHash(entry)));
                if (exported.Event is { } stored)
                {
                    scopes.Observe(stored);
                }
            }

            await export.WriteAsync(TilePath.Bundle(index, bundle.Length).ToString(), EntryBundle.Format(entries), default);
            await export.WriteAsync(ExportPaths.Events(index), lines.WrittenMemory, default);
        }

        foreach (var tile in full)
        {
            await export.WriteAsync(tile.Path.ToString(), tile.Hashes, default);
        }

        foreach (var (path, hashes) in tiles.PartialTiles())
        {
            await export.WriteAsync(path.ToString(), hashes, default);
        }

        var note = key.Sign(tiles.Size, tiles.Root());
        await export.WriteAsync(ExportPaths.Checkpoint, (cosign?.Invoke(note) ?? note).ToUtf8(), default);
        await export.WriteAsync(ExportPaths.VerifierKeys, $"{key.Vkey} 0 -\n", default);
        await export.WriteAsync(ExportPaths.MarketIndex, MarketIndex.Format(scopes.Settled), default);
        await export.WriteAsync("anchors/1-test-1", "a receipt that only its issuer can check", default);
        foreach (var policy in scopes.Policies)
        {
            await export.WriteAsync(ExportPaths.Ruleset(policy.Rules.Name, policy.Hash), JsonSerializer.SerializeToUtf8Bytes(RulesetFile.Of(policy), LedgerJson.Options), default);
        }

        await export.SealAsync(default);
        return Checkpoint.Of(note);
    }

    public static byte[] Entry(ExportedEvent exported)
    {
        if (exported.Event is not { } e)
        {
            return ExportedEvent.VoidEntry.ToArray();
        }

        var entry = new System.Buffers.ArrayBufferWriter<byte>();
        Leaf.Write(e, exported.IsErased ? stackalloc byte[Leaf.SaltSize] : exported.Salt.Span, entry);
        return entry.WrittenSpan.ToArray();
    }

    public static IReadOnlyList<ExportedEvent> All(IReadOnlyList<NewEvent> events) => [.. events.Select((e, i) => new ExportedEvent(i + 1, Ledger.Stored(e, i + 1), Salt(i + 1)))];

    // The same for the same position, so that a rewritten history differs in nothing but what was rewritten.
    public static byte[] Salt(long position) => System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(position))[..Leaf.SaltSize];
}

/// <summary>A folder that goes when the test does.</summary>
internal sealed class Scratch : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("verify-").FullName;

    public string this[string name] => Path.Combine(Root, name);

    public void Dispose() => Directory.Delete(Root, recursive: true);
}

/// <summary>The command as it is run.</summary>
internal static class Run
{
    public static async Task<(int Exit, string Output)> VerifyAsync(params string[] args)
    {
        using var output = new StringWriter();
        var exit = await Verbs.VerifyCommand.RunAsync(args, output, output);
        return (exit, output.ToString());
    }
}
