using System.Buffers;
using System.Text;
using System.Text.Json;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Ledger.Json;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;

namespace Mbp.Domain.Audit;

/// <summary>An event within a market's file: the line of an <c>events/</c> file, the entry that the log has, and its path to the checkpoint's root.</summary>
public sealed record MarketFileEvent(ExportedEvent Event, ReadOnlyMemory<byte> Entry, IReadOnlyList<MerkleHash> Path);

/// <summary>
/// One market by itself: everything that a stranger needs to prove that its events are in the log, and to decide it again, in one JSON file.
/// </summary>
/// <param name="Checkpoint">The signed note that all paths lead to.</param>
/// <param name="VerifierKeys">The lines of <c>vkeys</c>; they prove nothing, and say which key to ask for.</param>
/// <param name="Ruleset">The rule set that the market was opened under, if the exporting build knows it.</param>
/// <param name="Scope">What belongs to the market.</param>
/// <param name="Events">All events of the scope's streams from their beginning up to the market's last one, in order.</param>
public sealed record MarketFile(
    SignedNote Checkpoint, IReadOnlyList<string> VerifierKeys, RulesetFile? Ruleset, MarketScope Scope, IReadOnlyList<MarketFileEvent> Events)
{
    private const string Format = "mbp-market@v1";

    public byte[] ToUtf8()
    {
        var output = new ArrayBufferWriter<byte>();
        Put($"{{\"format\":\"{Format}\",\n\"checkpoint\":");
        Json(Checkpoint.Format());
        Put(",\n\"vkeys\":");
        Json(VerifierKeys);
        Put(",\n\"ruleset\":");
        Json(Ruleset);
        Put(",\n\"scope\":");
        Json(Scope);
        Put(",\n\"events\":[");
        for (var i = 0; i < Events.Count; i++)
        {
            Put(i == 0 ? "\n{\"event\":" : ",\n{\"event\":");
            Events[i].Event.Write(output);
            Put(",\"leaf\":");
            Json(Encoding.UTF8.GetString(Events[i].Entry.Span));
            Put(",\"path\":");
            Json(Events[i].Path.Select(hash => Convert.ToBase64String(hash.ToArray())).ToArray());
            Put("}");
        }

        Put("\n]}\n");
        return output.WrittenSpan.ToArray();

        void Put(string text) => output.Write(Encoding.UTF8.GetBytes(text));

        void Json<T>(T value) => output.Write(JsonSerializer.SerializeToUtf8Bytes(value, LedgerJson.Options));
    }

    /// <exception cref="LogFormatException">It is not such a file.</exception>
    public static MarketFile Parse(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using var document = JsonDocument.Parse(utf8, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var root = document.RootElement;
            if (root.GetProperty("format").GetString() != Format || root.GetPropertyCount() != 6)
            {
                throw new LogFormatException($"A market's file is of the format {Format}.");
            }

            return new MarketFile(
                SignedNote.Parse(root.GetProperty("checkpoint").GetString() ?? ""),
                root.GetProperty("vkeys").Deserialize<string[]>(LedgerJson.Options) ?? [],
                root.GetProperty("ruleset").Deserialize<RulesetFile>(LedgerJson.Options),
                root.GetProperty("scope").Deserialize<MarketScope>(LedgerJson.Options) ?? throw new LogFormatException("The file has no scope."),
                [.. root.GetProperty("events").EnumerateArray().Select(Event)]);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException and not LogFormatException)
        {
            throw new LogFormatException($"The market's file cannot be read: {e.Message}", e);
        }
    }

    private static MarketFileEvent Event(JsonElement item) => item.GetPropertyCount() == 3
        ? new MarketFileEvent(
            ExportedEvent.Parse(Encoding.UTF8.GetBytes(item.GetProperty("event").GetRawText())),
            Encoding.UTF8.GetBytes(item.GetProperty("leaf").GetString() ?? ""),
            [.. item.GetProperty("path").EnumerateArray().Select(hash => new MerkleHash(hash.GetBytesFromBase64() is { Length: MerkleHash.Size } bytes
                ? bytes
                : throw new LogFormatException("A hash of a path has 32 bytes.")))])
        : throw new LogFormatException("An event of the file has a field that is none of its own.");
}
