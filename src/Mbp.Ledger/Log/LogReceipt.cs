using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Writing;

namespace Mbp.Ledger.Log;

/// <summary>
/// A receipt as a caller keeps it and anybody verifies it: the log's signed word that an event was taken in at a position. If a later tree has
/// another leaf there, or none, the receipt and that tree's checkpoint convict the log.
/// </summary>
/// <param name="Origin">Whose log.</param>
/// <param name="Position">The event's position, from 1.</param>
/// <param name="LeafHash">Its leaf hash.</param>
/// <param name="Path">From the leaf to the batch's root.</param>
/// <param name="Batch">What was signed; its origin is the receipt's.</param>
/// <param name="KeyId">The id of the log's key that signed.</param>
/// <param name="Signature">64 bytes.</param>
public sealed record LogReceipt(
    string Origin, long Position, MerkleHash LeafHash, IReadOnlyList<MerkleHash> Path, BatchNote Batch, uint KeyId, ReadOnlyMemory<byte> Signature)
{
    /// <summary>The most bytes that a receipt may have.</summary>
    public const int MaxBytes = 16 * 1024;

    /// <summary>The writer's receipt, for the public.</summary>
    public static LogReceipt From(Receipt receipt, string origin)
    {
        ArgumentNullException.ThrowIfNull(receipt);
        var batch = receipt.Batch;
        return new LogReceipt(
            origin, receipt.Position, receipt.Leaf, receipt.Path, new BatchNote(origin, batch.FirstPosition, batch.Size, batch.Root), batch.KeyId, batch.Signature);
    }

    /// <summary>Whether the key signed a batch that has this leaf at this position.</summary>
    public Verdict Verify(VerifierKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var faults = new List<string>();
        if (key.Type != VerifierKey.Ed25519Type || key.Name != Origin || key.KeyId != KeyId)
        {
            faults.Add($"The receipt is of the key {KeyId:x8} of {Origin}, not of {key.Name} {key.KeyId:x8}.");
        }
        else if (!Ed25519.Verify(key.PublicKey.Span, Batch.ToUtf8(), Signature.Span))
        {
            faults.Add($"The key {KeyId:x8} of {Origin} did not sign the batch.");
        }

        if (Batch.FirstPosition < 1 || Position < Batch.FirstPosition
            || !MerkleProof.VerifyInclusion(LeafHash, Position - Batch.FirstPosition, Batch.Size, Path, Batch.Root))
        {
            faults.Add($"The path does not lead from the leaf at position {Position} to the root of the batch from {Batch.FirstPosition} on.");
        }

        return new Verdict(faults);
    }

    /// <summary>Writes the receipt as a JSON object.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        writer.WriteString("origin", Origin);
        writer.WriteNumber("position", Position);
        writer.WriteBase64String("leafHash", LeafHash.ToArray());
        writer.WriteStartArray("path");
        foreach (var hash in Path)
        {
            writer.WriteBase64StringValue(hash.ToArray());
        }

        writer.WriteEndArray();
        writer.WriteStartObject("batch");
        writer.WriteNumber("firstPosition", Batch.FirstPosition);
        writer.WriteNumber("size", Batch.Size);
        writer.WriteBase64String("root", Batch.Root.ToArray());
        writer.WriteEndObject();
        writer.WriteString("keyId", KeyId.ToString("x8", CultureInfo.InvariantCulture));
        writer.WriteBase64String("signature", Signature.Span);
        writer.WriteEndObject();
    }

    /// <summary>The receipt as JSON text.</summary>
    public string ToJson()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            Write(writer);
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    /// <summary>Reads a receipt: exactly the fields that <see cref="Write"/> writes, in any order.</summary>
    /// <exception cref="LogFormatException">It is not a receipt.</exception>
    public static LogReceipt Parse(ReadOnlyMemory<byte> utf8)
    {
        if (utf8.Length > MaxBytes)
        {
            throw new LogFormatException($"A receipt has at most {MaxBytes} bytes.");
        }

        try
        {
            using var document = JsonDocument.Parse(utf8, new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = 8 });
            return Read(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            // The last two: a field of another kind, or none.
            throw new LogFormatException("The receipt is not JSON with the fields of a receipt.", e);
        }
    }

    private static LogReceipt Read(JsonElement receipt)
    {
        var batch = receipt.GetProperty("batch");
        if (receipt.GetPropertyCount() != 7 || batch.GetPropertyCount() != 3)
        {
            throw new LogFormatException("The receipt has fields that are none of a receipt.");
        }

        var origin = Text(receipt, "origin");
        var note = new BatchNote(origin, Number(batch, "firstPosition"), checked((int)Math.Min(int.MaxValue, Number(batch, "size"))), Hash(batch.GetProperty("root")));
        var id = Text(receipt, "keyId");
        if (!uint.TryParse(id, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var keyId)
            || keyId.ToString("x8", CultureInfo.InvariantCulture) != id
            || !LogText.TryBase64(Text(receipt, "signature"), out var signature)
            || signature.Length != Ed25519.SignatureSize)
        {
            throw new LogFormatException("The receipt's keyId is 8 hexadecimal digits, its signature 64 bytes in base64.");
        }

        return new LogReceipt(
            origin, Number(receipt, "position"), Hash(receipt.GetProperty("leafHash")), Hashes(receipt.GetProperty("path")), note, keyId, signature);
    }

    private static string Text(JsonElement from, string name) => from.GetProperty(name).GetString() ?? throw new LogFormatException($"{name} is null.");

    private static long Number(JsonElement from, string name) =>
        from.GetProperty(name).TryGetInt64(out var number) && number >= 0 ? number : throw new LogFormatException($"{name} is not a number from 0.");

    private static MerkleHash[] Hashes(JsonElement list)
    {
        var (hashes, next) = (new MerkleHash[list.GetArrayLength()], 0);
        foreach (var text in list.EnumerateArray())
        {
            hashes[next++] = Hash(text);
        }

        return hashes;
    }

    private static MerkleHash Hash(JsonElement text) =>
        LogText.TryHash(text.GetString() ?? "", out var hash) ? hash : throw new LogFormatException("A hash is 32 bytes in base64.");
}
