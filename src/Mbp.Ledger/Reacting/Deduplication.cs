using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Mbp.Ledger.Writing;

namespace Mbp.Ledger.Reacting;

/// <summary>
/// What makes "at least once" take effect once: the same cause always has the same key, and the ledger answers a key that it knows from what it
/// has written. Keys are kept for three days, so whatever is delivered again must be so within them. A refusal leaves no key: it is decided again.
/// </summary>
public static class Deduplication
{
    /// <summary>For the command by which a reaction answers an event.</summary>
    public static CommandContext ForReaction(string reaction, StoredEvent cause)
    {
        ArgumentNullException.ThrowIfNull(cause);
        return Keyed($"worker:reaction:{reaction}", cause.CorrelationId, string.Create(CultureInfo.InvariantCulture, $"event-{cause.Position}"));
    }

    /// <summary>For the command that a destination makes of a message.</summary>
    public static CommandContext ForMessage(string destination, OutboxMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        var id = message.Id.ToString("N");
        return Keyed($"worker:outbox:{destination}", correlationId: id, id);
    }

    /// <summary>The id of the message that a rule makes of an event: whenever it is made again, it is the same.</summary>
    public static Guid MessageId(string rule, long position)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"mbp:outbox:{rule}:{position}")), hash);
        // A UUID of version 8: its bits are of our own making.
        hash[6] = (byte)((hash[6] & 0x0f) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }

    // The hash is of the cause and not of the command: a newer build may ask for something else, and must still find what was done.
    private static CommandContext Keyed(string actor, string correlationId, string key) =>
        new(actor, correlationId.Length > 0 ? correlationId : key, new CommandKey(actor, key), SHA256.HashData(Encoding.UTF8.GetBytes($"{actor} {key}")));
}
