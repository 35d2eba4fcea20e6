using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Mbp.Ledger.Merkle;

/// <summary>
/// One pass over one value. Every value is written where it comes; when an object ends, its members lie side by side in the output and are
/// put in order there. It runs for every event of the product, so nothing is allocated for a usual body.
/// </summary>
/// <param name="output">At least as long as the input: no escape that JCS keeps is longer than what it stands for in the input.</param>
/// <param name="scratch">Likewise: holds one unescaped string, or the members of one object while they change places.</param>
/// <param name="members">Room for the members of all open objects; when there are more, room is made.</param>
internal ref struct CanonicalWriter(ReadOnlySpan<byte> json, Span<byte> output, Span<byte> scratch, Span<CanonicalWriter.Member> members)
{
    // Above this, insertion sort loses.
    private const int Few = 32;

    private readonly Span<byte> _output = output;
    private readonly Span<byte> _scratch = scratch;
    private Utf8JsonReader _reader = new(json, new JsonReaderOptions { MaxDepth = CanonicalJson.MaxDepth });
    private Span<Member> _members = members;
    private int _count;
    private int _length;

    /// <summary>A member of an object, in the output: <c>"key":value</c>.</summary>
    internal readonly record struct Member(int Start, int KeyLength, int Length);

    public int Write()
    {
        try
        {
            _reader.Read();
            Value();
            // Reading to the end is what refuses a second value.
            _reader.Read();
            return _length;
        }
        catch (JsonException e)
        {
            throw new CanonicalJsonException($"not JSON of at most {CanonicalJson.MaxDepth} levels", _reader.BytesConsumed, e);
        }
    }

    private void Value()
    {
        switch (_reader.TokenType)
        {
            case JsonTokenType.StartObject:
                Object();
                break;
            case JsonTokenType.StartArray:
                Array();
                break;
            case JsonTokenType.String:
                String();
                break;
            case JsonTokenType.Number:
                Number();
                break;
            default:
                Copy(_reader.ValueSpan);
                break;
        }
    }

    private void Array()
    {
        Put('[');
        for (var first = true; _reader.Read() && _reader.TokenType != JsonTokenType.EndArray; first = false)
        {
            if (!first)
            {
                Put(',');
            }

            Value();
        }

        Put(']');
    }

    private void Object()
    {
        var (offset, first, plain) = (_reader.TokenStartIndex, _count, true);
        Put('{');
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            if (_count > first)
            {
                Put(',');
            }

            var start = _length;
            plain &= !_reader.ValueIsEscaped && Ascii.IsValid(_reader.ValueSpan);
            String();
            var keyLength = _length - start;
            Put(':');
            _reader.Read();
            Value();
            Push(new Member(start, keyLength, _length - start));
        }

        Put('}');
        Order(_members[first.._count], plain, offset);
        _count = first;
    }

    private void String()
    {
        Put('"');
        if (_reader.ValueIsEscaped)
        {
            _length += CanonicalJson.Escape(_scratch[..Unescape()], _output[_length..], _reader.TokenStartIndex);
        }
        else if (Utf8.IsValid(_reader.ValueSpan))
        {
            // A string without a backslash holds nothing that JCS escapes: the reader has refused bare control characters.
            Copy(_reader.ValueSpan);
        }
        else
        {
            throw NoText();
        }

        Put('"');
    }

    private readonly int Unescape()
    {
        try
        {
            return _reader.CopyString(_scratch);
        }
        catch (InvalidOperationException e)
        {
            throw NoText(e);
        }
    }

    private readonly CanonicalJsonException NoText(Exception? cause = null) =>
        new("half a surrogate pair, or bytes that are not UTF-8", _reader.TokenStartIndex, cause);

    private void Number()
    {
        var digits = _reader.ValueSpan;
        var rule = digits switch
        {
            _ when digits.ContainsAny((byte)'.', (byte)'e', (byte)'E') => "a number with a fraction or an exponent",
            _ when !_reader.TryGetInt64(out var value) || value is < -CanonicalJson.MaxInteger or > CanonicalJson.MaxInteger => "an integer beyond 2^53 - 1",
            [(byte)'-', (byte)'0'] => "-0",
            _ => null,
        };
        if (rule is not null)
        {
            throw new CanonicalJsonException(rule, _reader.TokenStartIndex);
        }

        // JSON has one way to write such an integer, and it is JCS's.
        Copy(digits);
    }

    /// <summary>Sorts the members that end the output by their keys' UTF-16 units (RFC 8785, section 3.2.3).</summary>
    /// <param name="plain">The keys are ASCII without escapes, of which the bytes are in the same order.</param>
    private readonly void Order(Span<Member> members, bool plain, long offset)
    {
        if (plain && members.Length <= Few)
        {
            SortByBytes(members);
        }
        else
        {
            SortByText(members);
        }

        var moved = false;
        for (var i = 1; i < members.Length; i++)
        {
            moved |= members[i].Start < members[i - 1].Start;
            if (Key(members[i]).SequenceEqual(Key(members[i - 1])))
            {
                throw new CanonicalJsonException($"the key {Encoding.UTF8.GetString(Key(members[i]))} twice in the object", offset);
            }
        }

        if (moved)
        {
            Rearrange(members);
        }
    }

    private readonly void SortByBytes(Span<Member> members)
    {
        for (var i = 1; i < members.Length; i++)
        {
            var member = members[i];
            var key = Name(member);
            var to = i;
            for (; to > 0 && key.SequenceCompareTo(Name(members[to - 1])) < 0; to--)
            {
                members[to] = members[to - 1];
            }

            members[to] = member;
        }
    }

    private readonly void SortByText(Span<Member> members)
    {
        var names = new string[members.Length];
        for (var i = 0; i < names.Length; i++)
        {
            var reader = new Utf8JsonReader(Key(members[i]));
            reader.Read();
            names[i] = reader.GetString()!;
        }

        var sorted = members.ToArray();
        System.Array.Sort(names, sorted, StringComparer.Ordinal);
        sorted.CopyTo(members);
    }

    private readonly void Rearrange(ReadOnlySpan<Member> members)
    {
        var length = 0;
        foreach (var member in members)
        {
            if (length > 0)
            {
                _scratch[length++] = (byte)',';
            }

            _output.Slice(member.Start, member.Length).CopyTo(_scratch[length..]);
            length += member.Length;
        }

        // They end where the object does, before its brace.
        _scratch[..length].CopyTo(_output[(_length - 1 - length)..]);
    }

    /// <summary>With its quotes.</summary>
    private readonly ReadOnlySpan<byte> Key(Member member) => _output.Slice(member.Start, member.KeyLength);

    /// <summary>Without them: they would sort a key behind its own continuation, as in <c>"a"</c> and <c>"a!"</c>.</summary>
    private readonly ReadOnlySpan<byte> Name(Member member) => _output.Slice(member.Start + 1, member.KeyLength - 2);

    private void Push(Member member)
    {
        if (_count == _members.Length)
        {
            var larger = new Member[2 * _count];
            _members.CopyTo(larger);
            _members = larger;
        }

        _members[_count++] = member;
    }

    private void Put(char ascii) => _output[_length++] = (byte)ascii;

    private void Copy(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_output[_length..]);
        _length += bytes.Length;
    }
}
