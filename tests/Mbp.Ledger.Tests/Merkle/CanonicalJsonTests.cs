using System.Buffers;
using System.Text;
using Mbp.Ledger.Merkle;
using Xunit;

namespace Mbp.Ledger.Tests.Merkle;

public sealed class CanonicalJsonTests
{
    private const string Nul = "\\u0000";

    [Theory]
    [InlineData(" { \"b\" : [ 1 , true , null ] , \"a\" : { } }\n", """{"a":{},"b":[1,true,null]}""")]
    [InlineData("[]", "[]")]
    [InlineData("\"\"", "\"\"")]
    [InlineData("null", "null")]
    // RFC 8785, section 3.2.2, but for its numbers, which are outside of the profile.
    [InlineData("""{"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}""",
        """{"literals":[null,true,false],"string":"€$\u000f\nA'B\"\\\\\"/"}""")]
    [InlineData("""["\u0008\u0009\u000A\u000C\u000D\u0001\u001F\u007f\u2028"]""", "[\"\\b\\t\\n\\f\\r\\u0001\\u001f\u007f\u2028\"]")]
    [InlineData("""["\b\t\n\f\r\"\\\/</>"]""", """["\b\t\n\f\r\"\\/</>"]""")]
    // Text stays as it was written: "é" of one character and "é" of two are two strings.
    [InlineData("""["\ud83d\ude00\u00e9e\u0301", "😀ée\u0301"]""", "[\"😀\u00e9e\u0301\",\"😀\u00e9e\u0301\"]")]
    public void A_value_has_one_form(string json, string expected) => Assert.Equal(expected, Canonical(json));

    [Fact]
    public void Keys_sort_by_their_utf16_units() => Assert.Equal(
        // RFC 8785, section 3.2.3. By UTF-8 bytes, the emoji would be the last.
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\","
        + "\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
        Canonical("""
        {
          "\u20ac": "Euro Sign",
          "\r": "Carriage Return",
          "\ufb33": "Hebrew Letter Dalet With Dagesh",
          "1": "One",
          "\ud83d\ude00": "Emoji: Grinning Face",
          "\u0080": "Control",
          "\u00f6": "Latin Small Letter O With Diaeresis"
        }
        """));

    [Theory]
    [InlineData("""{"a!":1,"ab":2,"a":3,"":4,"B":5}""", """{"":4,"B":5,"a":3,"a!":1,"ab":2}""")]
    // A key sorts by what it says, not by how it is escaped: a backslash is behind "Z", a quote before "1".
    [InlineData("""{"[":1,"\n":2,"1":3,"\"":4}""", """{"\n":2,"\"":4,"1":3,"[":1}""")]
    [InlineData("""{"b":{"d":[{"z":1,"y":2}],"c":3},"a":4}""", """{"a":4,"b":{"c":3,"d":[{"y":2,"z":1}]}}""")]
    public void Keys_sort_whole_and_unescaped(string json, string expected) => Assert.Equal(expected, Canonical(json));

    [Theory]
    [InlineData(32)]
    [InlineData(33)]
    [InlineData(1000)]
    public void Many_keys_sort_as_few_do(int count)
    {
        string Json(IEnumerable<int> keys) => $"{{{string.Join(',', keys.Select(i => $"\"{i:d4}\":{{\"b\":{i},\"a\":\"x\"}}"))}}}";
        var range = Enumerable.Range(0, count);
        Assert.Equal(Json(range).Replace("\"b\":", "\"a\":\"x\",\"b\":").Replace(",\"a\":\"x\"}", "}"), Canonical(Json(range.Reverse())));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("9007199254740991")]
    [InlineData("-9007199254740991")]
    public void An_integer_is_itself(string json) => Assert.Equal(json, Canonical(json));

    [Theory]
    [InlineData("[1.0]", "fraction or an exponent", 1)]
    [InlineData("[0,1e2]", "fraction or an exponent", 3)]
    [InlineData("1E2", "fraction or an exponent", 0)]
    [InlineData("9007199254740992", "beyond 2^53 - 1", 0)]
    [InlineData("-9007199254740992", "beyond 2^53 - 1", 0)]
    [InlineData("99999999999999999999", "beyond 2^53 - 1", 0)]
    [InlineData("""{"a":-0}""", "-0", 5)]
    [InlineData("""[{"a":1,"b":2,"a":1}]""", "the key \"a\" twice", 1)]
    [InlineData("""{"a":1,"\u0061":1}""", "the key \"a\" twice", 0)]
    [InlineData("""{"é":1,"\u00e9":1}""", "the key \"é\" twice", 0)]
    [InlineData("""["\ud83d"]""", "half a surrogate pair", 1)]
    [InlineData("""["\ud83dx"]""", "half a surrogate pair", 1)]
    [InlineData("""["\ude00\ud83d"]""", "half a surrogate pair", 1)]
    [InlineData("""{"\ude00":1}""", "half a surrogate pair", 1)]
    [InlineData($"""["a{Nul}"]""", "U+0000", 1)]
    [InlineData($$"""{"{{Nul}}":1}""", "U+0000", 1)]
    [InlineData("{} {}", "not JSON", 3)]
    [InlineData("1 2", "not JSON", 2)]
    [InlineData("", "not JSON", 0)]
    [InlineData("[1,]", "not JSON", 3)]
    [InlineData("[01]", "not JSON", 1)]
    [InlineData("[1", "not JSON", 2)]
    [InlineData("[\"a\nb\"]", "not JSON", 1)]
    [InlineData("[\"a\0b\"]", "not JSON", 1)]
    [InlineData("[1] // one", "not JSON", 4)]
    [InlineData("\ufeff{}", "not JSON", 0)]
    public void What_readers_understand_differently_is_refused(string json, string rule, long offset)
    {
        var refusal = Assert.Throws<CanonicalJsonException>(() => Canonical(json));
        Assert.Contains(rule, refusal.Message, StringComparison.Ordinal);
        Assert.Equal(offset, refusal.Offset);
    }

    [Theory]
    [InlineData(new byte[] { (byte)'"', 0xff, (byte)'"' })]
    // U+D800 as UTF-8 would write it, bare and next to an escape; and "/" written too long.
    [InlineData(new byte[] { (byte)'"', 0xed, 0xa0, 0x80, (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xed, 0xa0, 0x80, (byte)'\\', (byte)'n', (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xc0, 0xaf, (byte)'"' })]
    public void What_is_not_utf8_is_refused(byte[] json) =>
        Assert.Throws<CanonicalJsonException>(() => CanonicalJson.Write(json, new ArrayBufferWriter<byte>()));

    [Fact]
    public void At_most_64_levels_are_open()
    {
        string Nested(int depth) => string.Concat(Enumerable.Repeat("[", depth)) + string.Concat(Enumerable.Repeat("]", depth));
        Assert.Equal(Nested(CanonicalJson.MaxDepth), Canonical(Nested(CanonicalJson.MaxDepth)));
        Assert.Throws<CanonicalJsonException>(() => Canonical(Nested(CanonicalJson.MaxDepth + 1)));
    }

    [Fact]
    public void A_refusal_writes_nothing()
    {
        var output = new ArrayBufferWriter<byte>();
        Assert.Throws<CanonicalJsonException>(() => CanonicalJson.Write("""{"a":1,"b":1.5}"""u8, output));
        Assert.Equal(0, output.WrittenCount);
    }

    [Theory]
    [InlineData(1020)]
    [InlineData(1024)]
    [InlineData(1025)]
    [InlineData(100_000)]
    public void A_long_value_is_written_as_a_short_one(int length)
    {
        var text = new string('x', length - 12);
        Assert.Equal($$"""{"a":"{{text}}","b":1}"""[..^1] + "}", Canonical($$"""{"b":1,"a":"{{text}}"}"""));
        Assert.Equal($"\"\\\"{text}\"", Canonical($"\"\\u0022{text}\""));
    }

    private static string Canonical(string json)
    {
        var output = new ArrayBufferWriter<byte>();
        CanonicalJson.Write(Encoding.UTF8.GetBytes(json), output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
