using System.Text;

namespace Mbp.Benchmarks.Load;

/// <summary>Reads of markets' pages, each of a market at random: one message, in which only the market changes.</summary>
internal sealed class PageRequests : IRequests
{
    private static int _connections;

    private readonly Random _random = new(Interlocked.Increment(ref _connections));
    private readonly MarketRange _markets;
    private readonly byte[] _bytes;
    private readonly int _market;

    public PageRequests(string host, string key, MarketRange markets)
    {
        _markets = markets;
        var text = $"GET /v2/markets/m00000/page HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n";
        _bytes = Encoding.ASCII.GetBytes(text);
        _market = text.IndexOf("m00000", StringComparison.Ordinal);
    }

    public ReadOnlyMemory<byte> Next()
    {
        Encoding.ASCII.GetBytes(Place.Market(_markets.First + _random.Next(_markets.Count)), _bytes.AsSpan(_market));
        return _bytes;
    }

    public void Accepted()
    {
    }
}
