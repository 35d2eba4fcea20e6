using System.Globalization;
using System.Text.Json;
using Mbp.Ledger.Log;
using Mbp.Ledger.Writing;

namespace Mbp.Host.Anchoring;

/// <summary>The log's signed word that an event was taken in: keep it. If the event should be missing from the log later, it convicts the log.</summary>
/// <param name="Origin">Whose log.</param>
/// <param name="Position">The command's last event.</param>
/// <param name="LeafHash">Its leaf hash, base64.</param>
/// <param name="Path">From the leaf to the batch's root, base64.</param>
/// <param name="Batch">What was signed.</param>
/// <param name="KeyId">The id of the log's key.</param>
/// <param name="Signature">Ed25519 over <c>mbp-ledger/batch@v1</c>, origin, first position and size, and root, each on its line; base64.</param>
public sealed record ReceiptItem(string Origin, long Position, string LeafHash, IReadOnlyList<string> Path, ReceiptBatch Batch, string KeyId, string Signature)
{
    internal static ReceiptItem? Of(Receipt? receipt, string origin) => receipt is null ? null : new(
        receipt.Batch.Origin ?? origin, receipt.Position, Convert.ToBase64String(receipt.Leaf.ToArray()), [.. receipt.Path.Select(hash => Convert.ToBase64String(hash.ToArray()))],
        new ReceiptBatch(receipt.Batch.FirstPosition, receipt.Batch.Size, Convert.ToBase64String(receipt.Batch.Root.ToArray())),
        receipt.Batch.KeyId.ToString("x8", CultureInfo.InvariantCulture), Convert.ToBase64String(receipt.Batch.Signature.Span));
}

/// <param name="FirstPosition">The first event that was committed with it.</param>
/// <param name="Size">How many were.</param>
/// <param name="Root">The RFC 6962 root over their leaf hashes, base64.</param>
public sealed record ReceiptBatch(long FirstPosition, int Size, string Root);

/// <param name="From">The smaller tree.</param>
/// <param name="To">The larger tree.</param>
/// <param name="Proof">RFC 6962 consistency proof, base64.</param>
public sealed record ConsistencyResponse(long From, long To, IReadOnlyList<string> Proof);

/// <summary>An event as the ledger has it, with what opens its entry in the public log.</summary>
/// <param name="Position">Its place; its leaf index is one less.</param>
/// <param name="Stream">Its stream.</param>
/// <param name="Type">Its wire name; <c>void</c> for a position that no event has.</param>
/// <param name="Version">Its place in the stream.</param>
/// <param name="At">Ledger time, with six decimals as in the entry.</param>
/// <param name="Id">Its id.</param>
/// <param name="Data">The body that <c>data</c> of the entry commits to.</param>
/// <param name="Headers">What <c>headers</c> of the entry commits to.</param>
/// <param name="Salt">The key of both commitments (HMAC-SHA-256), base64.</param>
/// <param name="Leaf">The entry, base64.</param>
/// <param name="LeafHash">Its leaf hash, base64.</param>
/// <param name="Erased">True where texts of the body were erased: then it has neither data nor salt.</param>
public sealed record LedgerEventResponse(
    long Position, string? Stream, string Type, long? Version, string? At, string? Id, JsonElement? Data, JsonElement? Headers, string? Salt, string Leaf, string LeafHash, bool? Erased = null);

/// <param name="Origin">The log.</param>
/// <param name="Size">How many events it covers.</param>
/// <param name="Root">Their root, base64.</param>
/// <param name="Note">The checkpoint.</param>
public sealed record CheckpointResponse(string Origin, long Size, string Root, string Note);

/// <param name="KeyId">Its id.</param>
/// <param name="Vkey">The verifier key.</param>
/// <param name="FromSize">The first size that it may sign.</param>
/// <param name="UntilSize">The last; absent while it is in force.</param>
/// <param name="Receipts">Whether it signs receipts now.</param>
public sealed record LogKeyItem(string KeyId, string Vkey, long FromSize, long? UntilSize, bool Receipts);

/// <param name="Done">What was done: <c>added</c>, <c>retired</c>, <c>waiting</c>.</param>
/// <param name="RetireFrom">From when on the old key may be retired without haste.</param>
/// <param name="Items">The log's keys.</param>
public sealed record LogKeysResponse(string Done, string? RetireFrom, IReadOnlyList<LogKeyItem> Items);

/// <param name="Now">Do not wait for the 14 days that clients have to learn the new key.</param>
/// <param name="Reason">Why the old key is retired; kept in the ledger.</param>
public sealed record RotateKeysRequest(bool? Now = null, string? Reason = null);

/// <param name="Confirm">The origin of the log that is given up.</param>
/// <param name="Reason">Why; it becomes part of the log.</param>
public sealed record OpenEpochRequest(string? Confirm, string? Reason);

/// <param name="Origin">The new log.</param>
/// <param name="Epoch">Its number.</param>
/// <param name="Position">The event that opened it.</param>
/// <param name="LastCheckpoint">The last signed head of the log before it, which that event quotes.</param>
/// <param name="Note">The new log's first checkpoint.</param>
public sealed record EpochResponse(string Origin, int Epoch, long Position, string LastCheckpoint, string Note);

internal static class LogText
{
    public static string Of(VerifierKey key) => key.KeyId.ToString("x8", CultureInfo.InvariantCulture);
}
