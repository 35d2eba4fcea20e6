using System.Buffers;
using System.Text;
using NodaTime;

namespace Mbp.Ledger.Json;

/// <summary>
/// A body exactly as the database gives it back: jsonb has one order of fields (shorter names first) and one spelling of everything between them, so
/// the few event types that make up nearly all of a ledger are read straight through, in a quarter of the time. Every method says whether the text
/// goes on as asked. What is spelled in any other way is no error here: it is left to the serializer, which reads it, or says what is wrong with it.
/// </summary>
public ref struct StoredBody
{
    private const int LongestNumber = 18;

    // Text that stands for itself: no escape, no control character, nothing beyond ASCII.
    private static readonly SearchValues<byte> Plain = SearchValues.Create(
        [.. Enumerable.Range(0x20, 0x5f).Select(c => (byte)c).Where(c => c is not ((byte)'"' or (byte)'\\'))]);

    private ReadOnlySpan<byte> _rest;
    private bool _inside;

    public StoredBody(ReadOnlySpan<byte> body) => _rest = body;

    /// <summary>The end of the body.</summary>
    public readonly bool IsAtEnd => _inside && _rest.SequenceEqual("}"u8);

    /// <summary>The next field, a plain text.</summary>
    public bool TryText(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        if (TryName(name) && TryQuoted(out value))
        {
            return true;
        }

        value = default;
        return false;
    }

    /// <inheritdoc cref="TryText(ReadOnlySpan{byte}, out ReadOnlySpan{byte})"/>
    public bool TryText(ReadOnlySpan<byte> name, out string value)
    {
        var found = TryText(name, out ReadOnlySpan<byte> text);
        value = found ? Encoding.ASCII.GetString(text) : "";
        return found;
    }

    public bool TryInstant(ReadOnlySpan<byte> name, out Instant value)
    {
        value = default;
        return TryText(name, out ReadOnlySpan<byte> text) && IsoInstant.TryParse(text, out value);
    }

    /// <summary>The next field, a whole number; null where the field is not there.</summary>
    public bool TryNumberOrNothing(ReadOnlySpan<byte> name, out long? value)
    {
        value = null;
        if (!TryName(name))
        {
            return true;
        }

        var number = 0L;
        var length = 0;
        while (length < _rest.Length && char.IsAsciiDigit((char)_rest[length]) && length < LongestNumber)
        {
            number = (number * 10) + (_rest[length++] - '0');
        }

        // What goes on behind the digits (a fraction, an exponent, more digits) is no end of a field, and is left to the serializer.
        if (length == 0 || (length > 1 && _rest[0] == '0'))
        {
            return false;
        }

        value = number;
        _rest = _rest[length..];
        return true;
    }

    /// <summary>The next field, a list of plain texts: true with its items still to be read by <see cref="TryItem"/>.</summary>
    public bool TryList(ReadOnlySpan<byte> name) => TryName(name) && TrySkip("["u8);

    /// <summary>An item of a list, and whether another one follows it.</summary>
    public bool TryItem(out ReadOnlySpan<byte> value, out bool more)
    {
        more = false;
        if (!TryQuoted(out value))
        {
            return false;
        }

        more = TrySkip(", "u8);
        return more || TrySkip("]"u8);
    }

    private bool TryName(ReadOnlySpan<byte> name)
    {
        var before = _inside ? ", \""u8 : "{\""u8;
        var after = "\": "u8;
        var length = before.Length + name.Length + after.Length;
        if (_rest.Length < length || !_rest.StartsWith(before) || !_rest[before.Length..].StartsWith(name) || !_rest[(before.Length + name.Length)..].StartsWith(after))
        {
            return false;
        }

        _rest = _rest[length..];
        _inside = true;
        return true;
    }

    private bool TryQuoted(out ReadOnlySpan<byte> value)
    {
        value = default;
        if (_rest.IsEmpty || _rest[0] != '"')
        {
            return false;
        }

        var length = _rest[1..].IndexOfAnyExcept(Plain);
        if (length < 0 || _rest[length + 1] != '"')
        {
            return false;
        }

        value = _rest.Slice(1, length);
        _rest = _rest[(length + 2)..];
        return true;
    }

    private bool TrySkip(ReadOnlySpan<byte> text)
    {
        if (!_rest.StartsWith(text))
        {
            return false;
        }

        _rest = _rest[text.Length..];
        return true;
    }
}

/// <summary>Reads an event from the form in which the database gives it back; null where the body has any other form.</summary>
public delegate TEvent? StoredReader<out TEvent>(StoredBody body)
    where TEvent : class;
