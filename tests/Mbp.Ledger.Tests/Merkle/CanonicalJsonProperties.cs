using System.Buffers;
using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Mbp.Ledger.Merkle;
using Xunit;

namespace Mbp.Ledger.Tests.Merkle;

/// <summary>Any value of the profile, made of bytes so that a failing one shrinks, against a canonical form written plainly.</summary>
public sealed class CanonicalJsonProperties
{
    // Keys that are each other's beginnings, that escapes and UTF-8 would sort otherwise, and of every length of UTF-8.
    private static readonly string[] Words =
        ["", "a", "a!", "a b", "ab", "B", "[", "\"", "\\", "/", "\n", "\u0001", "\u001f", "\u007f", "é", "€", "\ue000", "\ufb33", "😀", "😀a", "\U0010ffff"];

    [Fact]
    public void The_form_does_not_depend_on_order_or_writing() => Check(source =>
    {
        var value = source.Value(depth: 0);
        var expected = Plainly(value);
        Assert.Equal(expected, Canonical(Oddly(value, source)));
        Assert.Equal(expected, Canonical(Oddly(value, source)));
    });

    [Fact]
    public void The_form_of_a_form_is_itself() => Check(source =>
    {
        var once = Canonical(Oddly(source.Value(depth: 0), source));
        Assert.Equal(once, Canonical(once));
    });

    private static void Check(Action<Source> property) =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes => property(new Source(bytes)))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    private static string Plainly(object? value) => value switch
    {
        null => "null",
        bool b => b ? "true" : "false",
        long n => n.ToString(CultureInfo.InvariantCulture),
        string s => $"\"{string.Concat(s.Select(Escape))}\"",
        List<object?> list => $"[{string.Join(',', list.Select(Plainly))}]",
        Dictionary<string, object?> members => $"{{{string.Join(',', members.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => $"{Plainly(m.Key)}:{Plainly(m.Value)}"))}}}",
        _ => throw new ArgumentException(value.GetType().Name),
    };

    private static string Escape(char c) => c switch
    {
        '"' or '\\' => $"\\{c}",
        '\n' => "\\n",
        < ' ' => $"\\u{(int)c:x4}",
        _ => $"{c}",
    };

    private static string Escape(Rune character, bool needlessly) =>
        string.Concat(character.ToString().Select(c => needlessly ? $"\\u{(int)c:X4}" : Escape(c)));

    /// <summary>The same value in any order, with white space, and with escapes that need not be.</summary>
    private static string Oddly(object? value, Source source) => source.Space() + value switch
    {
        string s => $"\"{string.Concat(s.EnumerateRunes().Select(r => Escape(r, needlessly: source.Next() % 4 == 0)))}\"",
        List<object?> list => $"[{string.Join(',', list.Select(item => Oddly(item, source)))}]",
        Dictionary<string, object?> members => $"{{{string.Join(',', members.OrderBy(_ => source.Next()).Select(m => Oddly(m.Key, source) + source.Space() + ":" + Oddly(m.Value, source)))}{source.Space()}}}",
        _ => Plainly(value),
    } + source.Space();

    private static string Canonical(string json)
    {
        var output = new ArrayBufferWriter<byte>();
        CanonicalJson.Write(Encoding.UTF8.GetBytes(json), output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private sealed class Source(byte[] bytes)
    {
        private int _at;

        // Goes round, so that bytes never run out, and drifts, so that they do not repeat.
        public int Next() => bytes.Length == 0 ? 0 : (bytes[_at++ % bytes.Length] + (_at / bytes.Length * 31)) & 255;

        public string Space() => (Next() % 8) switch { 0 => " ", 1 => "\r\n\t", _ => "" };

        public object? Value(int depth) => (Next() % (depth < 4 ? 8 : 5)) switch
        {
            0 => null,
            1 => Next() % 2 == 0,
            2 => (long)Next() - 128,
            3 => (Next() - 128) * (CanonicalJson.MaxInteger / 128),
            4 => Text(),
            5 => Enumerable.Range(0, Next() % 4).Select(_ => Value(depth + 1)).ToList(),
            _ => Members(depth),
        };

        private string Text() => string.Concat(Enumerable.Range(0, Next() % 4).Select(_ => Words[Next() % Words.Length]));

        private Dictionary<string, object?> Members(int depth)
        {
            // Now and then more than are sorted in place.
            var count = Next() is > 240 and var many ? many - 205 : Next() % 6;
            Dictionary<string, object?> members = [];
            for (var i = 0; i < count; i++)
            {
                members[Text()] = count > 6 ? (long)i : Value(depth + 1);
            }

            return members;
        }
    }
}
