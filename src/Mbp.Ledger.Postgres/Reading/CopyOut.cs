using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Mbp.Ledger.Json;
using NodaTime;
using Npgsql;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>
/// The answer to a query by binary COPY, as a whole in one buffer. For whoever goes through the ledger and needs each row for a moment: fields are looked at
/// where they lie, which takes a fraction of what a reader takes to hand each of them out. What was taken is valid until the next <see cref="FillAsync"/>.
/// </summary>
internal sealed class CopyOut : IDisposable
{
    private const int HeaderLength = 19;

    private static readonly long Epoch = Instant.FromUtc(2000, 1, 1, 0, 0).ToUnixTimeTicks();
    private static readonly long First = DateTime.MinValue.Ticks - DateTime.UnixEpoch.Ticks;
    private static readonly long Last = DateTime.MaxValue.Ticks - DateTime.UnixEpoch.Ticks;

    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(1 << 20);
    private int _length;
    private int _at;

    /// <param name="connection">Where to ask.</param>
    /// <param name="query">With its parameters in it, as COPY takes none: nothing but numbers of our own.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task FillAsync(NpgsqlConnection connection, string query, CancellationToken cancellationToken)
    {
        _length = 0;
        var copy = await connection.BeginRawBinaryCopyAsync($"COPY ({query}) TO STDOUT (FORMAT BINARY)", cancellationToken).ConfigureAwait(false);
        await using (copy.ConfigureAwait(false))
        {
            int read;
            while ((read = await copy.ReadAsync(_bytes.AsMemory(_length), cancellationToken).ConfigureAwait(false)) > 0)
            {
                _length += read;
                if (_length == _bytes.Length)
                {
                    Grow();
                }
            }
        }

        _at = HeaderLength + BinaryPrimitives.ReadInt32BigEndian(_bytes.AsSpan(HeaderLength - sizeof(int)));
    }

    /// <summary>Goes to the next row; its fields are taken in order.</summary>
    public bool Next() => BinaryPrimitives.ReadInt16BigEndian(Take(sizeof(short)).Span) >= 0;

    public long Whole() => BinaryPrimitives.ReadInt64BigEndian(Bytes().Span);

    public Guid Guid() => new(Bytes().Span, bigEndian: true);

    /// <summary>The next field as it is; empty for NULL.</summary>
    public ReadOnlyMemory<byte> Bytes()
    {
        var length = BinaryPrimitives.ReadInt32BigEndian(Take(sizeof(int)).Span);
        return length <= 0 ? default : Take(length);
    }

    /// <summary>The text of a jsonb; empty for NULL.</summary>
    public ReadOnlyMemory<byte> Json() => Bytes() is { IsEmpty: false } json ? json[1..] : default;

    /// <summary>A text that recurs; empty for NULL.</summary>
    public string Name()
    {
        var text = Bytes().Span;
        return Ascii.IsValid(text) ? RecurringText.Of(text) : Encoding.UTF8.GetString(text);
    }

    /// <summary>A time; what no calendar of ours has (infinity, too) is its first or last moment.</summary>
    public Instant Time()
    {
        const long TicksPerMicrosecond = NodaConstants.TicksPerMillisecond / 1_000;
        var micros = Math.Clamp(Whole(), long.MinValue / (2 * TicksPerMicrosecond), long.MaxValue / (2 * TicksPerMicrosecond));
        return Instant.FromUnixTimeTicks(Math.Clamp(Epoch + (micros * TicksPerMicrosecond), First, Last));
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_bytes);

    private ReadOnlyMemory<byte> Take(int length)
    {
        var taken = _bytes.AsMemory(0, _length).Slice(_at, length);
        _at += length;
        return taken;
    }

    private void Grow()
    {
        var larger = ArrayPool<byte>.Shared.Rent(2 * _bytes.Length);
        _bytes.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
