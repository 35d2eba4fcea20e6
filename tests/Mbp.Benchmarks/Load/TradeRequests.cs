using System.Globalization;
using System.Text;

namespace Mbp.Benchmarks.Load;

/// <summary>
/// The requests of one connection: two prebuilt messages (a buy, a sale) in which only fixed-width fields change. Nine of ten buy for 1 to 9
/// CE$; the tenth sells back a tenth of a share of what the connection bought last, which the account therefore has.
/// </summary>
internal sealed class TradeRequests : IRequests
{
    private const int KeyDigits = 12;
    private const string ZeroKey = "000000000000";
    private const int SellEvery = 10;

    private static long _connections;

    private readonly Random _random;
    private readonly MarketRange _markets;
    private readonly Message _buy;
    private readonly Message _sell;
    private int _number;
    private (int Market, int Account, bool Yes)? _bought;
    private (int Market, int Account, bool Yes) _last;
    private bool _lastWasBuy;

    /// <param name="host">Host and port, for the header.</param>
    /// <param name="key">The operator's key.</param>
    /// <param name="run">Makes the idempotency keys of this run unlike those of any other.</param>
    /// <param name="markets">Where to trade.</param>
    public TradeRequests(string host, string key, string run, MarketRange markets)
    {
        var connection = Interlocked.Increment(ref _connections);
        _markets = markets;
        _random = new Random((int)connection);
        var prefix = string.Create(CultureInfo.InvariantCulture, $"{run}-{connection:00000}-");
        _buy = new Message(host, key, prefix, """{"side":"buy","outcome":"YES","amount":"1","account":"a00000"}""");
        _sell = new Message(host, key, prefix, """{"side":"sell","outcome":"YES","shares":"0.1","account":"a00000"}""");
    }

    /// <summary>The next request's bytes; valid until the next call.</summary>
    public ReadOnlyMemory<byte> Next()
    {
        _number++;
        if (_number % SellEvery == 0 && _bought is { } held)
        {
            (_lastWasBuy, _bought) = (false, null);
            return _sell.With(_number, held.Market, held.Account, held.Yes);
        }

        _last = (_markets.First + _random.Next(_markets.Count), _random.Next(Place.Accounts), _random.Next(2) == 0);
        _lastWasBuy = true;
        _buy.Amount = (byte)('1' + _random.Next(9));
        return _buy.With(_number, _last.Market, _last.Account, _last.Yes);
    }

    /// <summary>The last request was accepted: if it bought, there is something to sell.</summary>
    public void Accepted()
    {
        if (_lastWasBuy)
        {
            _bought = _last;
        }
    }

    private sealed class Message
    {
        private readonly byte[] _bytes;
        private readonly int _market;
        private readonly int _key;
        private readonly int _outcome;
        private readonly int _amount;
        private readonly int _account;

        public Message(string host, string key, string prefix, string body)
        {
            var text = $"POST /v2/markets/m00000/trades HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nIdempotency-Key: {prefix}{ZeroKey}\r\n"
                + $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}";
            _bytes = Encoding.ASCII.GetBytes(text);
            _market = text.IndexOf("m00000", StringComparison.Ordinal) + 1;
            _key = text.IndexOf($"{prefix}{ZeroKey}\r", StringComparison.Ordinal) + prefix.Length;
            _outcome = text.IndexOf("\"YES\"", StringComparison.Ordinal);
            _amount = text.IndexOf("\"amount\":\"", StringComparison.Ordinal) + "\"amount\":\"".Length;
            _account = text.IndexOf("a00000", StringComparison.Ordinal) + 1;
        }

        public byte Amount
        {
            set => _bytes[_amount] = value;
        }

        public ReadOnlyMemory<byte> With(int number, int market, int account, bool yes)
        {
            Digits(_key, KeyDigits, number);
            Digits(_market, 5, market);
            Digits(_account, 5, account);
            // A blank after the shorter name keeps the length.
            (yes ? "\"YES\""u8 : "\"NO\" "u8).CopyTo(_bytes.AsSpan(_outcome));
            return _bytes;
        }

        private void Digits(int at, int count, int value)
        {
            for (var i = at + count - 1; i >= at; i--)
            {
                (value, var digit) = Math.DivRem(value, 10);
                _bytes[i] = (byte)('0' + digit);
            }
        }
    }
}
