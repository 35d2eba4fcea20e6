using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Threading.Channels;

namespace Mbp.Benchmarks.Load;

/// <summary>The load of one slice.</summary>
/// <param name="Tally">What came of it.</param>
/// <param name="Elapsed">From the first request to the last answer.</param>
internal sealed record LoadResult(Tally Tally, TimeSpan Elapsed)
{
    public double TradesPerSecond => Tally.Accepted / Elapsed.TotalSeconds;
}

/// <summary>Trades against a host over HTTP: closed loop (each connection asks again as soon as it is answered) or open loop (a fixed rate, whatever happens).</summary>
internal sealed class Generator(Uri host, string key)
{
    /// <summary>The connections of an open loop: a request waits for a free one, and that wait is part of its latency.</summary>
    public const int OpenLoopConnections = 64;

    private readonly string _run = Guid.CreateVersion7().ToString("N")[..16];
    private readonly IPEndPoint _address = new(IPAddress.Parse(host.Host), host.Port);

    public async Task<LoadResult> ClosedAsync(int connections, MarketRange markets, TimeSpan duration)
    {
        var open = await OpenAsync(connections, host => new TradeRequests(host, key, _run, markets)).ConfigureAwait(false);
        var tally = new Tally();
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(open.Select(connection => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(start) < duration)
            {
                await connection.SendAsync(Stopwatch.GetTimestamp(), tally).ConfigureAwait(false);
            }
        }))).ConfigureAwait(false);
        var elapsed = Stopwatch.GetElapsedTime(start);
        open.ForEach(connection => connection.Dispose());
        return new LoadResult(tally, elapsed);
    }

    public async Task<LoadResult> OpenAsync(double rate, MarketRange markets, TimeSpan duration)
    {
        var tally = new Tally();
        var start = Stopwatch.GetTimestamp();
        await OpenAsync(rate, markets, duration, () => tally, CancellationToken.None).ConfigureAwait(false);
        return new LoadResult(tally, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>Reads of markets' pages at a fixed rate.</summary>
    public async Task<LoadResult> PagesAsync(double rate, MarketRange markets, TimeSpan duration)
    {
        var tally = new Tally();
        var start = Stopwatch.GetTimestamp();
        await OpenAsync(rate, host => new PageRequests(host, key, markets), duration, () => tally, CancellationToken.None).ConfigureAwait(false);
        return new LoadResult(tally, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>Trades at a fixed rate.</summary>
    /// <inheritdoc cref="OpenAsync(double, Func{string, IRequests}, TimeSpan, Func{Tally}, CancellationToken)"/>
    public Task OpenAsync(double rate, MarketRange markets, TimeSpan duration, Func<Tally> tally, CancellationToken cancellationToken) =>
        OpenAsync(rate, host => new TradeRequests(host, key, _run, markets), duration, tally, cancellationToken);

    /// <summary>
    /// Requests at a fixed rate. Latency counts from the moment at which a request was due, so a host that stalls pays for every request that
    /// came due meanwhile (no coordinated omission). The schedule itself is late by up to a millisecond, and that counts, too.
    /// </summary>
    /// <param name="rate">Requests a second.</param>
    /// <param name="requests">What is asked: made for each connection.</param>
    /// <param name="duration">How long.</param>
    /// <param name="tally">Asked for each request: where to count it.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    private async Task OpenAsync(double rate, Func<string, IRequests> requests, TimeSpan duration, Func<Tally> tally, CancellationToken cancellationToken)
    {
        var open = await OpenAsync(OpenLoopConnections, requests).ConfigureAwait(false);
        var due = Channel.CreateUnbounded<long>(new UnboundedChannelOptions { SingleWriter = true });
        var workers = open.Select(connection => Task.Run(async () =>
        {
            await foreach (var since in due.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                await connection.SendAsync(since, tally()).ConfigureAwait(false);
            }
        })).ToList();

        // A thread of its own: a timer of the pool would be late whenever the pool is busy with answers.
        await Task.Factory.StartNew(
            () => Schedule(rate, duration, due.Writer, cancellationToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
        while (due.Reader.TryRead(out var since))
        {
            tally().NotSent(Stopwatch.GetElapsedTime(since));
        }

        due.Writer.Complete();
        await Task.WhenAll(workers).ConfigureAwait(false);
        open.ForEach(connection => connection.Dispose());
    }

    private static void Schedule(double rate, TimeSpan duration, ChannelWriter<long> due, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        var (step, end) = (Stopwatch.Frequency / rate, start + (long)(duration.TotalSeconds * Stopwatch.Frequency));
        for (var number = 0L; !cancellationToken.IsCancellationRequested;)
        {
            var now = Stopwatch.GetTimestamp();
            for (; start + (long)(number * step) is var next && next <= now && next < end; number++)
            {
                due.TryWrite(next);
            }

            if (now >= end)
            {
                return;
            }

            var wait = Stopwatch.GetElapsedTime(now, Math.Min(end, start + (long)(number * step)));
            Thread.Sleep(Math.Clamp((int)wait.TotalMilliseconds, 1, 100));
        }
    }

    private async Task<List<Connection>> OpenAsync(int count, Func<string, IRequests> requests)
    {
        var host = string.Create(CultureInfo.InvariantCulture, $"{_address.Address}:{_address.Port}");
        var open = new List<Connection>(count);
        for (var i = 0; i < count; i++)
        {
            open.Add(await Connection.OpenAsync(_address, requests(host)).ConfigureAwait(false));
        }

        return open;
    }
}
