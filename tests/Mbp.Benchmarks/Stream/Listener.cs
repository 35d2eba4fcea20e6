using System.Net;
using System.Net.Sockets;
using System.Text;
using Mbp.Benchmarks.Load;

namespace Mbp.Benchmarks.Stream;

/// <summary>
/// A follower of <c>GET /v2/stream</c> on a bare socket: it takes chunks apart, finds each event and its ledger time, and nothing more, as it shares
/// the machine with what it measures.
/// </summary>
internal sealed class Listener(string query, LatencyHistogram latency) : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly byte[] _received = new byte[16 * 1024];
    private byte[] _text = new byte[16 * 1024];
    private int _length;
    private int _chunk;
    private bool _isHeadRead;
    private string _line = "";

    /// <summary>What it asks for: those that ask for the same must get the same.</summary>
    public string Query => query;

    /// <summary>Events that came, those of before the load not counted.</summary>
    public long Events { get; private set; }

    /// <summary>Latencies count from this ledger time on; before it, nothing counts.</summary>
    public DateTime Since { get; set; } = DateTime.MaxValue;

    public async Task OpenAsync(IPEndPoint host, string key)
    {
        await _socket.ConnectAsync(host).ConfigureAwait(false);
        await _socket.SendAsync(Encoding.ASCII.GetBytes($"GET /v2/stream{query} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n")).ConfigureAwait(false);
        while (!_isHeadRead)
        {
            Take(_received.AsSpan(0, await ReceiveAsync().ConfigureAwait(false)));
        }
    }

    /// <summary>Until it is disposed of.</summary>
    public async Task ListenAsync()
    {
        try
        {
            while (true)
            {
                Take(_received.AsSpan(0, await ReceiveAsync().ConfigureAwait(false)));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The measurement is over, or the host is gone, which the count shows.
        }
    }

    public void Dispose() => _socket.Dispose();

    private async ValueTask<int> ReceiveAsync() =>
        await _socket.ReceiveAsync(_received.AsMemory()).ConfigureAwait(false) is > 0 and var received ? received : throw new SocketException((int)SocketError.ConnectionReset);

    private void Take(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (_chunk > 0)
            {
                var some = Math.Min(_chunk, bytes.Length);
                Append(bytes[..some]);
                bytes = bytes[some..];
                _chunk -= some;
                continue;
            }

            // A line of the head, the size of a chunk, or the end of one.
            var end = bytes.IndexOf((byte)'\n');
            _line += Encoding.ASCII.GetString(end < 0 ? bytes : bytes[..end]);
            bytes = end < 0 ? [] : bytes[(end + 1)..];
            if (end >= 0)
            {
                Line(_line.TrimEnd('\r'));
                _line = "";
            }
        }

        TakeEvents();
    }

    private void Line(string line)
    {
        if (_isHeadRead)
        {
            _chunk = line.Length > 0 ? Convert.ToInt32(line, 16) : 0;
        }
        else if (line.StartsWith("HTTP/", StringComparison.Ordinal) && !line.Contains(" 200 ", StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"The stream{query} is refused: {line}");
        }
        else
        {
            _isHeadRead = line.Length == 0;
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (_length + bytes.Length > _text.Length)
        {
            Array.Resize(ref _text, Math.Max(2 * _text.Length, _length + bytes.Length));
        }

        bytes.CopyTo(_text.AsSpan(_length));
        _length += bytes.Length;
    }

    private void TakeEvents()
    {
        var now = DateTime.UtcNow;
        var text = _text.AsSpan(0, _length);
        for (int end; (end = text.IndexOf("\n\n"u8)) >= 0; text = text[(end + 2)..])
        {
            var at = text[..end].IndexOf("\"at\":\""u8);
            if (at >= 0 && TimeOf(text[(at + 6)..end]) is var time && time >= Since)
            {
                Events++;
                latency.Record(now - time);
            }
        }

        text.CopyTo(_text);
        _length = text.Length;
    }

    // 2026-01-02T03:04:05[.123456]Z
    private static DateTime TimeOf(ReadOnlySpan<byte> text)
    {
        var time = new DateTime(Number(text[..4]), Number(text[5..7]), Number(text[8..10]), Number(text[11..13]), Number(text[14..16]), Number(text[17..19]), DateTimeKind.Utc);
        var ticks = 0L;
        for (int i = 20, unit = 1_000_000; text[19] == '.' && text[i] != 'Z' && unit > 0; i++, unit /= 10)
        {
            ticks += (text[i] - '0') * unit;
        }

        return time.AddTicks(ticks);
    }

    private static int Number(ReadOnlySpan<byte> digits)
    {
        var number = 0;
        foreach (var digit in digits)
        {
            number = 10 * number + digit - '0';
        }

        return number;
    }
}
