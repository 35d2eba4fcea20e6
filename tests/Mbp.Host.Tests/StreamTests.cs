using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Mbp.Host.Streaming;
using Mbp.Host.Tests.Hosting;
using Xunit.Abstractions;

namespace Mbp.Host.Tests;

/// <summary>Followers of the ledger see every event that is theirs once, in order and without a gap, whatever breaks meanwhile.</summary>
public sealed class StreamTests(HostFixture fixture, ITestOutputHelper output) : IClassFixture<HostFixture>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    // Followers of one market learn by these how far they are; a test does not wait twelve seconds for it.
    private static readonly StreamLimits Quick = new() { Heartbeat = TimeSpan.FromMilliseconds(100) };

    private Api Api => fixture.Api;

    private string OperatorKey => File.ReadAllText(Path.Combine(fixture.Options.Data, "api-key")).Trim();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Each_of_fifty_clients_sees_every_position_once_through_breaks_and_restarts(int seed)
    {
        await RestartAsync(Quick);
        var (markets, traders) = await PlaceAsync($"fifty{seed}");
        await TradesAsync(markets, traders, 200);
        var dice = new Random(seed);
        var last = long.MaxValue;
        using var patience = new CancellationTokenSource(Patience);
        var clients = Enumerable.Range(0, 50).Select(i => Client(i, markets, traders, dice)).ToList();
        var following = clients.Select((c, i) => Task.Run(() => FollowAsync(c.Follower, new Random(seed * 100 + i), () => Interlocked.Read(ref last), patience.Token))).ToList();
        for (var round = 0; round < 3; round++)
        {
            using var enough = new CancellationTokenSource();
            var trading = Enumerable.Range(0, 4).Select(_ => Task.Run(() => TradeAsync(markets, traders, enough.Token))).ToList();
            await Task.Delay(1_000);
            if (round < 2)
            {
                await RestartAsync(Quick);
            }

            await enough.CancelAsync();
            await Task.WhenAll(trading);
        }

        Interlocked.Exchange(ref last, await HeadAsync());
        await Task.WhenAll(following);
        var ledger = await LedgerAsync();
        output.WriteLine($"{ledger.Count} events; {clients.Sum(c => c.Follower.Items.Count)} were delivered.");
        Assert.True(ledger.Count > 500, $"Only {ledger.Count} events.");
        foreach (var (follower, sees, from) in clients)
        {
            var began = from ?? follower.BeganAt!.Value;
            Assert.Equal(
                ledger.Where(e => e.Position > began && e.Position <= last && sees(e.Stream)).Select(e => e.Position),
                follower.Items.Select(item => item.Position).TakeWhile(position => position <= last));
            follower.Dispose();
        }
    }

    [Fact]
    public async Task A_stream_goes_on_from_any_position()
    {
        await RestartAsync(Quick);
        var (markets, traders) = await PlaceAsync("any");
        await TradesAsync(markets, traders, 30);
        var ledger = await LedgerAsync();
        var head = ledger[^1].Position;
        foreach (var from in Enumerable.Range(0, 12).Select(i => i * head / 11))
        {
            var expected = ledger.Where(e => e.Position > from).Select(e => e.Position).ToList();
            Assert.Equal(expected, (await ReadAsync($"?from={from}", head)).Select(item => item.Position));
            // The header wins: it is where the client was, and the address is where it once began.
            Assert.Equal(expected, (await ReadAsync("?from=0", head, lastEventId: from)).Select(item => item.Position));
        }
    }

    [Fact]
    public async Task What_it_says_of_an_event_is_what_the_markets_list_says_of_it()
    {
        await RestartAsync(Quick);
        var (markets, traders) = await PlaceAsync("same");
        await TradesAsync(markets, traders, 5);
        var listed = await Api.EventsAsync(markets[0]);
        var streamed = (await ReadAsync($"?from=0&markets={markets[0]}", await HeadAsync())).Where(item => item.Stream == $"market-{markets[0]}").ToList();
        Assert.Equal(listed.Count, streamed.Count);
        foreach (var (item, streamedItem) in listed.Zip(streamed))
        {
            var expected = item.DeepClone().AsObject();
            expected["stream"] = $"market-{markets[0]}";
            Assert.True(JsonNode.DeepEquals(expected, streamedItem.Data), $"{expected} is not {streamedItem.Data}");
        }
    }

    [Fact]
    public async Task A_trader_sees_the_markets_and_its_own_account_and_never_anothers()
    {
        await RestartAsync(Quick);
        var (markets, traders) = await PlaceAsync("eyes");
        await TradesAsync(markets, traders, 20);
        var ledger = await LedgerAsync();
        var head = ledger[^1].Position;
        foreach (var (account, key) in traders)
        {
            var seen = await ReadAsync("?from=0", head, key);
            Assert.Equal(ledger.Where(e => IsOfMarket(e.Stream) || e.Stream == $"account-{account}").Select(e => e.Position), seen.Select(item => item.Position));
            Assert.Contains(seen, item => item.Stream == $"account-{account}");
            // Trades of others are public, and so are their names in them, as in a market's list of events.
            Assert.Contains(seen, item => item.Event == "trade_executed" && (string?)item.Data["data"]!["account"] != account);
            var one = await ReadAsync($"?from=0&markets={markets[1]}", head, key);
            Assert.Equal(ledger.Where(e => e.Stream[(e.Stream.IndexOf('-', StringComparison.Ordinal) + 1)..] == markets[1]).Select(e => e.Position), one.Select(item => item.Position));
        }

        Assert.Equal(ledger.Select(e => e.Position), (await ReadAsync("?from=0", head)).Select(item => item.Position));
    }

    [Fact]
    public async Task A_stream_ends_when_its_key_is_revoked()
    {
        await RestartAsync(Quick);
        var account = await Api.AccountAsync("revoker", "100");
        var issued = (await Api.PostAsync($"/v2/accounts/{account}/keys", new { scopes = new[] { "read" } })).Ok();
        using var follower = new StreamFollower(issued["apiKey"], "");
        using var patience = new CancellationTokenSource(Patience);
        var reading = follower.ReadAsync(fixture.Host.Address, _ => false, patience.Token);
        await UntilAsync(() => follower.BeganAt is not null);
        (await Api.SendAsync(HttpMethod.Delete, $"/v2/accounts/{account}/keys/{issued["keyId"]}", null, null)).Ok();
        Assert.False(await reading);
        using var refused = await follower.ConnectAsync(fixture.Host.Address, patience.Token);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
    }

    [Fact]
    public async Task One_that_reads_nothing_holds_nobody_up_and_is_cut_off()
    {
        await RestartAsync(Quick with { Patience = TimeSpan.FromSeconds(3) });
        var (markets, traders) = await PlaceAsync("stall");
        using var stalled = await DeafAsync("");
        using var follower = new StreamFollower(OperatorKey, "");
        using var patience = new CancellationTokenSource(Patience);
        var last = long.MaxValue;
        var reading = follower.ReadAsync(fixture.Host.Address, f => f.LastEventId >= Interlocked.Read(ref last), patience.Token);
        await UntilAsync(() => follower.BeganAt is not null);
        await TradesAsync(markets, traders, 1_500);
        Interlocked.Exchange(ref last, await HeadAsync());
        // More than all the buffers on the way hold was written since, and the other one has it all.
        Assert.True(await reading);
        Assert.Equal(
            (await LedgerAsync()).Where(e => e.Position > follower.BeganAt && e.Position <= last).Select(e => e.Position),
            follower.Items.Select(item => item.Position).TakeWhile(position => position <= last));
        Assert.True(await EndsAsync(stalled), "It was not cut off.");
    }

    [Fact]
    public async Task A_stop_waits_for_no_follower()
    {
        await RestartAsync(Quick);
        var (markets, traders) = await PlaceAsync("stop");
        using var follower = new StreamFollower(OperatorKey, "");
        using var patience = new CancellationTokenSource(Patience);
        var reading = follower.ReadAsync(fixture.Host.Address, _ => false, patience.Token);
        using var live = await DeafAsync("");
        await TradesAsync(markets, traders, 1_500);
        using var behind = await DeafAsync("?from=0");
        await Task.Delay(300);
        var took = Stopwatch.StartNew();
        await RestartAsync(Quick);
        Assert.True(took.Elapsed < TimeSpan.FromSeconds(10), $"It took {took.Elapsed}.");
        // In good order, for whoever listens.
        Assert.False(await reading);
    }

    [Theory]
    [InlineData("?from=x", "from")]
    [InlineData("?from=-1", "from")]
    [InlineData("?from=1.5", "from")]
    [InlineData("?from=99999999999999999999", "from")]
    [InlineData("?from=1000000", "from")]
    [InlineData("?markets=", "markets")]
    [InlineData("?markets=a,,b", "markets")]
    [InlineData("?at=1", "at")]
    public async Task What_cannot_be_followed_is_refused_before_the_stream_begins(string query, string field)
    {
        var answer = await Api.GetAsync($"/v2/stream{query}");
        Assert.Equal((400, "request.invalid", field), (answer.Status, answer.Code, (string?)answer.Json["errors"]![0]!["field"]));
    }

    [Fact]
    public async Task A_resume_point_that_is_none_is_refused_and_so_are_strangers_and_unknown_markets()
    {
        foreach (var text in new[] { "x", "1000000" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(fixture.Host.Address, "/v2/stream?from=0"));
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {OperatorKey}");
            request.Headers.TryAddWithoutValidation("Last-Event-ID", text);
            using var http = new HttpClient();
            using var response = await http.SendAsync(request);
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            Assert.Equal("Last-Event-ID", (string?)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["errors"]![0]!["field"]);
        }

        var unknown = await Api.GetAsync("/v2/stream?markets=nowhere");
        Assert.Equal((404, "markets.not_found", "markets"), (unknown.Status, unknown.Code, (string?)unknown.Json["errors"]![0]!["field"]));
        using var stranger = Api.As(otherKey: null);
        Assert.Equal(401, (await stranger.GetAsync("/v2/stream")).Status);
    }

    [Fact]
    public async Task There_are_only_so_many_followers_at_a_time()
    {
        await RestartAsync(Quick with { Clients = 2 });
        using var patience = new CancellationTokenSource(Patience);
        using (var one = new StreamFollower(OperatorKey, ""))
        using (var two = new StreamFollower(OperatorKey, ""))
        using (await one.ConnectAsync(fixture.Host.Address, patience.Token))
        using (await two.ConnectAsync(fixture.Host.Address, patience.Token))
        {
            var full = await Api.GetAsync("/v2/stream");
            Assert.Equal((503, "stream.full"), (full.Status, full.Code));
            Assert.NotNull(full.Headers.RetryAfter);
        }

        // Who is gone makes room.
        using var next = new StreamFollower(OperatorKey, "?from=0");
        var head = await HeadAsync();
        while (!await next.ReadAsync(fixture.Host.Address, f => f.LastEventId >= head, patience.Token))
        {
            await Task.Delay(50, patience.Token);
        }
    }

    private static bool IsOfMarket(string stream) => stream.Split('-')[0] is "market" or "quotes" or "resolution";

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var until = DateTime.UtcNow + Patience; !condition(); await Task.Delay(10))
        {
            Assert.True(DateTime.UtcNow < until, "It did not come to that.");
        }
    }

    /// <summary>Whether the other side ends the connection, whatever is still in it.</summary>
    private static async Task<bool> EndsAsync(Socket socket)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await Task.Delay(TimeSpan.FromSeconds(5), patience.Token);
        try
        {
            var buffer = new byte[64 * 1024];
            while (await socket.ReceiveAsync(buffer, patience.Token) > 0)
            {
            }

            return true;
        }
        catch (SocketException)
        {
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task FollowAsync(StreamFollower follower, Random dice, Func<long> last, CancellationToken cancellationToken)
    {
        for (var isDone = false; !isDone; await Task.Delay(dice.Next(100), cancellationToken))
        {
            var (breaksAt, until) = (follower.Items.Count + dice.Next(1, 300), DateTime.UtcNow.AddMilliseconds(dice.Next(20, 1_500)));
            try
            {
                await follower.ReadAsync(
                    fixture.Host.Address, f => f.LastEventId >= last() || f.Items.Count >= breaksAt || (DateTime.UtcNow > until && f.BeganAt is not null), cancellationToken);
            }
            catch (Exception e) when (e is HttpRequestException or IOException or ObjectDisposedException)
            {
                // The host is away for a moment.
            }

            isDone = follower.LastEventId >= last();
        }
    }

    private (StreamFollower Follower, Func<string, bool> Sees, long? From) Client(int i, List<string> markets, List<(string Account, string Key)> traders, Random dice)
    {
        var (account, key) = traders[i % traders.Count];
        var named = markets.Where((_, m) => m % 2 == i % 2).ToList();
        long? from = (i % 3) switch { 0 => 0, 1 => dice.Next(100), _ => null };
        var begin = from is null ? "" : string.Create(CultureInfo.InvariantCulture, $"&from={from}");
        return (i % 5) switch
        {
            0 => (new(OperatorKey, $"?{begin}"), _ => true, from),
            1 => (new(OperatorKey, $"?markets={markets[i % markets.Count]}{begin}"), stream => IsOf(stream, [markets[i % markets.Count]]), from),
            2 => (new(OperatorKey, $"?markets={string.Join(',', named)}{begin}"), stream => IsOf(stream, named), from),
            3 => (new(key, $"?{begin}"), stream => IsOfMarket(stream) || stream == $"account-{account}", from),
            _ => (new(key, $"?markets={markets[0]}{begin}"), stream => IsOf(stream, [markets[0]]), from),
        };

        static bool IsOf(string stream, List<string> ids) => IsOfMarket(stream) && ids.Contains(stream[(stream.IndexOf('-', StringComparison.Ordinal) + 1)..]);
    }

    private Task RestartAsync(StreamLimits limits) => fixture.RestartAsync(fixture.Options with { Streams = limits });

    private async Task<(List<string> Markets, List<(string Account, string Key)> Traders)> PlaceAsync(string name)
    {
        var house = await Api.AccountAsync($"{name}-house", "100000");
        List<string> markets = [];
        List<(string, string)> traders = [];
        for (var i = 0; i < 4; i++)
        {
            markets.Add(await Api.MarketAsync(house));
            var account = await Api.AccountAsync($"{name}-{i}", "10000");
            traders.Add((account, (await Api.PostAsync($"/v2/accounts/{account}/keys", new { scopes = new[] { "read" } })).Ok()["apiKey"]));
        }

        return (markets, traders);
    }

    private Task TradesAsync(List<string> markets, List<(string Account, string Key)> traders, int count) => Parallel.ForAsync(
        0, count, new ParallelOptions { MaxDegreeOfParallelism = 16 },
        async (n, _) => (await Api.BuyAsync(markets[n % markets.Count], traders[n / 3 % traders.Count].Account, n % 2 == 0 ? "YES" : "NO", "1")).Ok());

    private async Task TradeAsync(List<string> markets, List<(string Account, string Key)> traders, CancellationToken enough)
    {
        for (var n = 0; !enough.IsCancellationRequested; n++)
        {
            try
            {
                await Api.BuyAsync(markets[n % markets.Count], traders[n / 3 % traders.Count].Account, n % 2 == 0 ? "YES" : "NO", "1");
            }
            catch (Exception e) when (e is HttpRequestException or ObjectDisposedException or OperationCanceledException or IOException)
            {
                await Task.Delay(20, CancellationToken.None);
            }
        }
    }

    private async Task<List<StreamItem>> ReadAsync(string query, long upTo, string? key = null, long? lastEventId = null)
    {
        using var follower = new StreamFollower(key ?? OperatorKey, query) { LastEventId = lastEventId };
        using var patience = new CancellationTokenSource(Patience);
        Assert.True(await follower.ReadAsync(fixture.Host.Address, f => f.BeganAt is not null && f.LastEventId >= upTo, patience.Token));
        // A worker may have written meanwhile.
        return [.. follower.Items.Where(item => item.Position <= upTo)];
    }

    private Task<long> HeadAsync() => fixture.Host.Database.Store.HeadAsync(CancellationToken.None);

    private async Task<List<(long Position, string Stream)>> LedgerAsync()
    {
        List<(long, string)> all = [];
        await foreach (var stored in fixture.Host.Database.Store.ReadAllAsync(0, CancellationToken.None))
        {
            all.Add((stored.Position, stored.Stream.Value));
        }

        return all;
    }

    /// <summary>A client that asks and then does not read.</summary>
    private async Task<Socket> DeafAsync(string query)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4_096 };
        await socket.ConnectAsync(IPAddress.Loopback, fixture.Host.Address.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /v2/stream{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OperatorKey}\r\n\r\n"));
        return socket;
    }
}
