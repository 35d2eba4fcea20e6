using System.Buffers.Binary;
using System.Text;
using NodaTime;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>
/// Rows as PostgreSQL's binary COPY takes them. Written by hand because a rebuild is made of it: through parameters, each of a row's fields costs as much
/// as the whole row does here. The formats are those of the server's send and receive functions.
/// </summary>
internal sealed class CopyBuffer
{
    public const int TextType = 25;
    public const int NumericType = 1700;

    // Every four decimal digits are one of PostgreSQL's; eight decimals are two of them.
    private const int Base = 10_000;
    private const int Decimals = 8;
    private const int MostDigits = 16;
    private const short Negative = 0x4000;

    private static readonly byte[] Header = [(byte)'P', (byte)'G', (byte)'C', (byte)'O', (byte)'P', (byte)'Y', (byte)'\n', 0xFF, (byte)'\r', (byte)'\n', 0, 0, 0, 0, 0, 0, 0, 0, 0];
    private static readonly long Epoch = Instant.FromUtc(2000, 1, 1, 0, 0).ToUnixTimeTicks();

    private byte[] _bytes = new byte[1 << 16];

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, Length);

    public void Clear() => Length = 0;

    public void Begin() => Header.CopyTo(Take(Header.Length));

    public void End() => Short(-1);

    public void Row(int fields) => Short((short)fields);

    public void Null() => Int(-1);

    public void Text(string value)
    {
        var length = Encoding.UTF8.GetByteCount(value);
        Int(length);
        Encoding.UTF8.GetBytes(value, Take(length));
    }

    public void Whole(long value)
    {
        Int(sizeof(long));
        BinaryPrimitives.WriteInt64BigEndian(Take(sizeof(long)), value);
    }

    public void Flag(bool value)
    {
        Int(1);
        Take(1)[0] = value ? (byte)1 : (byte)0;
    }

    /// <summary>Microseconds since the year 2000.</summary>
    public void Time(Instant value)
    {
        Int(sizeof(long));
        BinaryPrimitives.WriteInt64BigEndian(Take(sizeof(long)), (value.ToUnixTimeTicks() - Epoch) / 10);
    }

    /// <summary>Units of 1e-8 as a decimal number.</summary>
    public void Units(Int128 units)
    {
        Span<short> digits = stackalloc short[MostDigits];
        var magnitude = (UInt128)Int128.Abs(units);
        // Amounts fit in 64 bits, whose division is one instruction.
        var count = magnitude <= ulong.MaxValue ? Split((ulong)magnitude, digits) : Split(magnitude, digits);
        Numeric(digits, count, fractions: Decimals / 4, units < 0, Decimals);
    }

    /// <summary>A whole number of any size as a decimal number.</summary>
    public void Integral(Int128 value)
    {
        Span<short> digits = stackalloc short[MostDigits];
        var count = Split((UInt128)Int128.Abs(value), digits);
        Numeric(digits, count, fractions: 0, value < 0, scale: 0);
    }

    /// <summary>The head of an array, whose elements follow; returns what <see cref="EndArray"/> needs.</summary>
    public int BeginArray(int elementType, int count)
    {
        var start = Length;
        Int(0);
        Int(count == 0 ? 0 : 1);
        Int(0);
        Int(elementType);
        if (count > 0)
        {
            Int(count);
            Int(1);
        }

        return start;
    }

    public void EndArray(int start) => BinaryPrimitives.WriteInt32BigEndian(_bytes.AsSpan(start), Length - start - sizeof(int));

    /// <summary>The lowest of PostgreSQL's digits first.</summary>
    private static int Split(ulong magnitude, Span<short> digits)
    {
        var count = 0;
        for (; magnitude > 0; magnitude /= Base)
        {
            digits[count++] = (short)(magnitude % Base);
        }

        return count;
    }

    private static int Split(UInt128 magnitude, Span<short> digits)
    {
        var count = 0;
        for (; magnitude > 0; magnitude /= Base)
        {
            digits[count++] = (short)(magnitude % Base);
        }

        return count;
    }

    private void Numeric(ReadOnlySpan<short> digits, int count, int fractions, bool negative, short scale)
    {
        // Zeros at the end are not sent; those at the front there are none of.
        var low = 0;
        while (low < count && digits[low] == 0)
        {
            low++;
        }

        var sent = count - low;
        Int(8 + 2 * sent);
        Short((short)sent);
        Short((short)(sent == 0 ? 0 : count - fractions - 1));
        Short(negative && sent > 0 ? Negative : (short)0);
        Short(scale);
        for (var i = count - 1; i >= low; i--)
        {
            Short(digits[i]);
        }
    }

    private void Short(short value) => BinaryPrimitives.WriteInt16BigEndian(Take(sizeof(short)), value);

    private void Int(int value) => BinaryPrimitives.WriteInt32BigEndian(Take(sizeof(int)), value);

    private Span<byte> Take(int length)
    {
        if (Length + length > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + length));
        }

        var taken = _bytes.AsSpan(Length, length);
        Length += length;
        return taken;
    }
}
