using System.Buffers;
using System.Text;
using Mbp.Ledger.Merkle;
using NodaTime;
using Xunit;

namespace Mbp.Ledger.Tests.Merkle;

public sealed class LeafTests
{
    // Computed apart from this code, with Python 3: jcs = json.dumps(v, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(),
    // commitments base64.b64encode(hmac.new(salt, jcs(v), hashlib.sha256).digest()), the entry jcs of the whole, and
    // hashlib.sha256(b"\0" + entry). Inputs: the salt 00 01 .. 0f, and the values of Known.
    private const string Entry =
        """{"at":"2025-09-10T12:00:00.123456Z","data":"347FMRJlnbrwrRPZmHYKXScYqPKHfsCp8a5ketIqT/w=","headers":"z+NR98VuFWj0Ly4HttuijCMkyr49VNUpIu5Y1xc86Oo=","id":"0199342e-8c00-7abc-8def-0123456789ab","stream":"market-são \"1\"","tenant":"*DEFAULT*","type":"shares_bought","v":1,"version":3}""";

    private const string Hash = "5098d9ec6be0cd8f06fa823f1b7f481a6c72d3c107ac78802b2cd8ae97750625";
    private const string HashWithoutHeaders = "6f7eb35ae102d65c559b05276672fec3b6ba785e4931705f3694a34969b20df2";

    private static readonly byte[] Salt = [.. Enumerable.Range(0, Leaf.SaltSize).Select(i => (byte)i)];

    private static readonly NewEvent Known = new(
        Guid.Parse("0199342E-8C00-7ABC-8DEF-0123456789AB"),
        StreamId.Parse("market-são \"1\""),
        3,
        new EncodedEvent("shares_bought", "not, there", Encoding.UTF8.GetBytes(
            """{"side":"buy","marketId":"m1","shares":"12.5","prices":["0.51","0.49"],"question":"Chove em São Paulo? \"sim\" \ud83c\udf27","seq":-7,"ok":true,"note":null}""")),
        Instant.FromUtc(2025, 9, 10, 12, 0).PlusTicks(1_234_560),
        "trace-1",
        "command-1",
        """{"policy":"v3","actor":"user:7f3a"}"""u8.ToArray());

    [Fact]
    public void An_entry_is_what_others_compute() => Assert.Equal((Entry, Hash), Written(Known));

    [Fact]
    public void No_headers_are_empty_headers()
    {
        Assert.Equal(HashWithoutHeaders, Written(Known with { Headers = default }).Hash);
        Assert.Equal(HashWithoutHeaders, Written(Known with { Headers = " { } "u8.ToArray() }).Hash);
    }

    [Fact]
    public void A_stored_event_has_the_entry_that_it_had_when_new()
    {
        var stored = new StoredEvent(
            77, Known.Stream, Known.Version, Known.Id, Known.Body.Type,
            Encoding.UTF8.GetBytes("""{"ok": true, "seq": -7, "note": null, "side": "buy", "prices": ["0.51", "0.49"], "shares": "12.5", "marketId": "m1", "question": "Chove em São Paulo? \"sim\" 🌧"}"""),
            Known.At, "another", "another", """{"actor": "user:7f3a", "policy": "v3"}"""u8.ToArray());
        var output = new ArrayBufferWriter<byte>();
        Assert.Equal(Hash, Leaf.Write(stored, Salt, output).ToString());
        Assert.Equal(Entry, output.WrittenMemory.Text());
    }

    [Fact]
    public void Everything_that_is_committed_to_is_seen()
    {
        NewEvent[] others =
        [
            Known with { Id = Guid.Empty },
            Known with { Stream = StreamId.Parse("market-2") },
            Known with { Version = 4 },
            Known with { Body = Known.Body with { Type = "shares_sold" } },
            Known with { Body = Known.Body with { Data = "{}"u8.ToArray() } },
            Known with { At = Known.At + Duration.FromTicks(10) },
            Known with { Headers = default },
        ];
        var hashes = others.Select(e => Written(e).Hash)
            .Append(Leaf.Write(Known, Salt, new ArrayBufferWriter<byte>(), "another").ToString())
            .Append(Leaf.Write(Known, new byte[Leaf.SaltSize], new ArrayBufferWriter<byte>()).ToString())
            .Append(Hash);
        Assert.Equal(others.Length + 3, hashes.Distinct().Count());
    }

    [Theory]
    [InlineData(0, "1970-01-01T00:00:00.000000Z")]
    [InlineData(19, "1970-01-01T00:00:00.000001Z")]
    [InlineData(-1, "1969-12-31T23:59:59.999999Z")]
    [InlineData(-62_135_596_800L * 10_000_000, "0001-01-01T00:00:00.000000Z")]
    [InlineData((253_402_300_800L * 10_000_000) - 1, "9999-12-31T23:59:59.999999Z")]
    public void Time_is_cut_to_microseconds(long ticks, string expected) =>
        Assert.StartsWith($"{{\"at\":\"{expected}\",", Written(Known with { At = Instant.FromUnixTimeTicks(ticks) }).Entry, StringComparison.Ordinal);

    [Fact]
    public void The_longest_names_have_room()
    {
        var stream = new string('\u0001', StreamId.MaxLength);
        var type = new string('\uffff', 500);
        var (entry, _) = Written(Known with { Stream = StreamId.Parse(stream), Body = Known.Body with { Type = type }, Version = CanonicalJson.MaxInteger });
        Assert.Contains($"\"{string.Concat(Enumerable.Repeat("\\u0001", StreamId.MaxLength))}\"", entry, StringComparison.Ordinal);
        Assert.EndsWith($"\"{type}\",\"v\":1,\"version\":9007199254740991}}", entry, StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_body_is_committed_to_like_a_short_one()
    {
        var text = new string('x', 5000);
        Assert.Equal(Written(WithBody($$"""{"a":"{{text}}","b":1}""")), Written(WithBody($$"""{ "b": 1, "a": "{{text}}" }""")));
        Assert.NotEqual(Written(WithBody($$"""{"a":"{{text}}","b":1}""")), Written(WithBody($$"""{"a":"{{text}}","b":2}""")));
    }

    [Fact]
    public void What_has_no_entry_is_refused_and_nothing_is_written()
    {
        Refused<CanonicalJsonException>(WithBody("""{"price":0.51}"""));
        Refused<CanonicalJsonException>(Known with { Headers = "{"u8.ToArray() });
        Refused<CanonicalJsonException>(Known with { Stream = StreamId.Parse("market-\ud83d") });
        Refused<CanonicalJsonException>(Known with { Body = Known.Body with { Type = "a\0" } });
        Refused<ArgumentOutOfRangeException>(Known with { Version = 0 });
        Refused<ArgumentOutOfRangeException>(Known with { Version = CanonicalJson.MaxInteger + 1 });
        Refused<ArgumentOutOfRangeException>(Known with { At = Instant.FromUtc(1, 1, 1, 0, 0) - Duration.Epsilon });
        Refused<ArgumentException>(Known, salt: Salt[1..]);
        Refused<ArgumentException>(Known, salt: [.. Salt, 0]);
    }

    [Fact]
    public void An_entry_has_at_most_65535_bytes()
    {
        var room = Leaf.MaxSize - Encoding.UTF8.GetByteCount(Entry) + Leaf.DefaultTenant.Length;
        var output = new ArrayBufferWriter<byte>();
        Leaf.Write(Known, Salt, output, new string('t', room));
        Assert.Equal(Leaf.MaxSize, output.WrittenCount);
        Refused<ArgumentException>(Known, tenant: new string('t', room + 1));
    }

    private static void Refused<TException>(NewEvent e, byte[]? salt = null, string tenant = Leaf.DefaultTenant)
        where TException : Exception
    {
        var output = new ArrayBufferWriter<byte>();
        Assert.Throws<TException>(() => Leaf.Write(e, salt ?? Salt, output, tenant));
        Assert.Equal(0, output.WrittenCount);
    }

    private static NewEvent WithBody(string json) => Known with { Body = Known.Body with { Data = Encoding.UTF8.GetBytes(json) } };

    private static (string Entry, string Hash) Written(NewEvent e)
    {
        var output = new ArrayBufferWriter<byte>();
        var hash = Leaf.Write(e, Salt, output);
        return (output.WrittenMemory.Text(), hash.ToString());
    }
}
