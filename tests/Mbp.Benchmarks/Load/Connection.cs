using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Mbp.Benchmarks.Load;

/// <summary>What a connection asks, one message after another.</summary>
internal interface IRequests
{
    /// <summary>The next request's bytes; valid until the next call.</summary>
    ReadOnlyMemory<byte> Next();

    /// <summary>The last request was accepted.</summary>
    void Accepted();
}

/// <summary>
/// One keep-alive connection that sends a request and reads its answer, over and over. It reads as little as it can (status and length) and
/// allocates nothing for a request: the generator shares the machine with what it measures.
/// </summary>
internal sealed class Connection : IDisposable
{
    private const int LongestAnswer = 128 * 1024;

    private readonly IPEndPoint _address;
    private readonly IRequests _requests;
    private readonly byte[] _answer = new byte[LongestAnswer];
    private Socket _socket;

    private Connection(IPEndPoint address, IRequests requests, Socket socket) => (_address, _requests, _socket) = (address, requests, socket);

    public static async Task<Connection> OpenAsync(IPEndPoint address, IRequests requests) =>
        new(address, requests, await DialAsync(address).ConfigureAwait(false));

    /// <summary>Sends one request and counts its answer. The latency is counted from <paramref name="since"/>, which may lie before the sending.</summary>
    public async ValueTask SendAsync(long since, Tally tally)
    {
        try
        {
            await _socket.SendAsync(_requests.Next()).ConfigureAwait(false);
            var status = await ReceiveAsync().ConfigureAwait(false);
            tally.Answered(status, Stopwatch.GetElapsedTime(since));
            if (status == 200)
            {
                _requests.Accepted();
            }
        }
        catch (SocketException)
        {
            tally.Broke();
            await DialAgainAsync().ConfigureAwait(false);
        }
    }

    public void Dispose() => _socket.Dispose();

    private static async Task<Socket> DialAsync(IPEndPoint address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address).ConfigureAwait(false);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task DialAgainAsync()
    {
        _socket.Dispose();
        try
        {
            _socket = await DialAsync(_address).ConfigureAwait(false);
        }
        catch (SocketException)
        {
            // Nobody listens: the next request breaks as well. The pause keeps that from becoming a busy loop.
            await Task.Delay(100).ConfigureAwait(false);
        }
    }

    private async ValueTask<int> ReceiveAsync()
    {
        var length = 0;
        while (true)
        {
            var received = await _socket.ReceiveAsync(_answer.AsMemory(length)).ConfigureAwait(false);
            if (received == 0)
            {
                throw new SocketException((int)SocketError.ConnectionReset);
            }

            length += received;
            if (IsWhole(_answer.AsSpan(0, length)))
            {
                return (_answer[9] - '0') * 100 + (_answer[10] - '0') * 10 + (_answer[11] - '0');
            }

            if (length == _answer.Length)
            {
                throw new SocketException((int)SocketError.MessageSize);
            }
        }
    }

    // Requests are not pipelined, so whatever is there belongs to this one answer.
    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return false;
        }

        var head = answer[..end];
        var at = head.IndexOf("Content-Length: "u8);
        if (at < 0)
        {
            return answer.EndsWith("\r\n0\r\n\r\n"u8);
        }

        var length = 0;
        foreach (var digit in head[(at + 16)..])
        {
            if (digit is < (byte)'0' or > (byte)'9')
            {
                break;
            }

            length = length * 10 + (digit - '0');
        }

        return answer.Length >= end + 4 + length;
    }
}
