using System.Buffers.Binary;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>Entries of a log in a row, by C2SP tlog-tiles: each behind its length, a big-endian uint16.</summary>
public static class EntryBundle
{
    /// <param name="width">How many entries the bundle's path promises.</param>
    /// <exception cref="LogFormatException">The bytes end within an entry, or hold more or fewer.</exception>
    public static IReadOnlyList<ReadOnlyMemory<byte>> Parse(ReadOnlyMemory<byte> bundle, int width)
    {
        try
        {
            // One more than promised is enough to know.
            var entries = LeafBatch.Entries(bundle).Take(width + 1).ToArray();
            return entries.Length == width ? entries : throw new LogFormatException($"The bundle does not have {width} entries.");
        }
        catch (InvalidDataException e)
        {
            throw new LogFormatException("The bundle ends within an entry.", e);
        }
    }

    /// <exception cref="ArgumentException">An entry is longer than its length can say.</exception>
    public static byte[] Format(IReadOnlyCollection<ReadOnlyMemory<byte>> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        var bundle = new byte[entries.Sum(entry => sizeof(ushort) + entry.Length)];
        var rest = bundle.AsSpan();
        foreach (var entry in entries)
        {
            if (entry.Length > ushort.MaxValue)
            {
                throw new ArgumentException($"An entry has at most {ushort.MaxValue} bytes, not {entry.Length}.", nameof(entries));
            }

            BinaryPrimitives.WriteUInt16BigEndian(rest, (ushort)entry.Length);
            entry.Span.CopyTo(rest[sizeof(ushort)..]);
            rest = rest[(sizeof(ushort) + entry.Length)..];
        }

        return bundle;
    }
}
