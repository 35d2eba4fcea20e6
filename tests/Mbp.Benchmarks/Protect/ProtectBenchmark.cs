using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Load;
using Mbp.Benchmarks.Systems;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Policies;

namespace Mbp.Benchmarks.Protect;

/// <summary>
/// <c>protect</c>: what the caps, halts and abuse rules cost. In one host, trades on markets whose rule set has every rule on (and limits that nobody
/// reaches) and on markets without any take turns; then honest traders are timed with and without a hostile client beside them; then many markets that are judged at
/// every tick stand still, with rules and without.
/// </summary>
internal static class ProtectBenchmark
{
    private const int Connections = 64;
    private const double HonestRate = 200;
    private const int HostileAccounts = 20;
    private const int HostilePace = 100;

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);

    public static async Task<JsonObject> RunAsync(double seconds, int tickedMarkets)
    {
        var report = await TradesAsync(seconds).ConfigureAwait(false);
        if (tickedMarkets > 0)
        {
            var stands = TimeSpan.FromSeconds(Math.Max(60, seconds));
            var (with, without) = (await StandingAsync(tickedMarkets, isRuled: true, stands).ConfigureAwait(false), await StandingAsync(tickedMarkets, isRuled: false, stands).ConfigureAwait(false));
            report["ticked_markets"] = tickedMarkets;
            report["host_cpu_share_of_a_core"] = Statistics.Round(with);
            report["host_cpu_share_without_rules"] = Statistics.Round(without);
            report["ticks_share_of_a_core"] = Statistics.Round(with - without);
        }

        return report;
    }

    private static async Task<JsonObject> TradesAsync(double seconds)
    {
        var rounds = Math.Max(3, (int)(seconds / 6));
        var slice = TimeSpan.FromSeconds(Math.Max(1.5, seconds / rounds / 2));
        await using var host = await TradingSystem.ProductAsync().ConfigureAwait(false);
        var ruled = await PublishAsync(host).ConfigureAwait(false);
        var (bare, rules, theirs) = (Place.Hot, new MarketRange(Place.Hot.End, 2 * Place.Hot.End), new MarketRange(2 * Place.Hot.End, (2 * Place.Hot.End) + 1));
        await host.SetUpAsync(bare.Count).ConfigureAwait(false);
        await host.CreateMarketsAsync(rules, ruled).ConfigureAwait(false);
        await host.CreateMarketsAsync(theirs, RulesetLibrary.DefaultName).ConfigureAwait(false);
        foreach (var range in new[] { bare, rules })
        {
            await host.Generator.ClosedAsync(Connections, range, WarmUp).ConfigureAwait(false);
        }

        var (with, without) = (new List<double>(), new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            foreach (var range in round % 2 == 0 ? [bare, rules] : new[] { rules, bare })
            {
                var result = await host.Generator.ClosedAsync(Connections, range, slice).ConfigureAwait(false);
                (range == rules ? with : without).Add(result.TradesPerSecond);
                Say($"round {round + 1}: {(range == rules ? "rules" : "bare "),-5} {result.TradesPerSecond:0} trades/s, {result.Tally.Rejected} refused");
            }
        }

        var (alone, beside, refused) = (new List<double>(), new List<double>(), 0L);
        await host.Generator.OpenAsync(HonestRate, rules, slice).ConfigureAwait(false);
        for (var round = 0; round < rounds; round++)
        {
            alone.Add(P99(await host.Generator.OpenAsync(HonestRate, rules, slice).ConfigureAwait(false)));
            using var stop = new CancellationTokenSource();
            var hostile = HostileAsync(host, theirs.First, stop.Token);
            beside.Add(P99(await host.Generator.OpenAsync(HonestRate, rules, slice).ConfigureAwait(false)));
            await stop.CancelAsync().ConfigureAwait(false);
            refused += await hostile.ConfigureAwait(false);
            Say($"round {round + 1}: honest p99 {alone[^1]:0.0} ms alone, {beside[^1]:0.0} ms beside the hostile client");
        }

        var ratios = with.Zip(without, (w, wo) => w / wo).ToList();
        return new JsonObject
        {
            ["trades_per_s"] = Statistics.Round(Statistics.Median(with)),
            ["without_trades_per_s"] = Statistics.Round(Statistics.Median(without)),
            ["ratio"] = Statistics.Round(Statistics.Median(ratios)),
            ["ratio_spread"] = new JsonArray([Statistics.Round(ratios.Min()), Statistics.Round(ratios.Max())]),
            ["honest_p99_ms_alone"] = Statistics.Round(Statistics.Median(alone)),
            ["honest_p99_ms_beside_hostile"] = Statistics.Round(Statistics.Median(beside)),
            ["honest_p99_ratio"] = Statistics.Round(Statistics.Median(beside.Zip(alone, (b, a) => b / a))),
            ["hostile_refused_per_s"] = Statistics.Round(refused / (rounds * slice.TotalSeconds)),
            ["rounds"] = rounds,
            ["slice_s"] = Statistics.Round(slice.TotalSeconds),
            ["how"] = "Medians over rounds in which both took turns in one host; ratios are medians of the rounds' own ratios.",
        };
    }

    /// <summary>The share of one core that a host takes while many fresh markets stand still.</summary>
    private static async Task<double> StandingAsync(int markets, bool isRuled, TimeSpan duration)
    {
        await using var host = await TradingSystem.ProductAsync().ConfigureAwait(false);
        var ruleset = isRuled ? await PublishAsync(host).ConfigureAwait(false) : RulesetLibrary.ReplayName;
        await host.SetUpAsync(0).ConfigureAwait(false);
        await host.CreateMarketsAsync(new MarketRange(0, markets), ruleset).ConfigureAwait(false);
        // The read models and the log have caught up, and the first tick has loaded the states.
        await Task.Delay(TimeSpan.FromSeconds(40)).ConfigureAwait(false);
        var before = host.Cpu().Host;
        await Task.Delay(duration).ConfigureAwait(false);
        var share = (host.Cpu().Host - before) / duration.TotalSeconds;
        Say($"{markets} markets {(isRuled ? "with" : "without")} rules: {share:0.000} of a core");
        return share;
    }

    /// <summary>Twenty accounts that ask again and again for more than the caps allow.</summary>
    private static async Task<long> HostileAsync(TradingSystem host, int market, CancellationToken stop)
    {
        using var http = new HttpClient { BaseAddress = host.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", host.Key);
        var path = new Uri($"/v2/markets/{Place.Market(market)}/trades", UriKind.Relative);
        var refused = 0L;
        await Task.WhenAll(Enumerable.Range(0, HostileAccounts).Select(async i =>
        {
            for (var n = 0; !stop.IsCancellationRequested; n++)
            {
                // Above the cap, at the rate limit, and at times a trade that would be all right.
                var amount = n % 3 == 0 ? "1000.00000001" : "0.01";
                using var answer = await http.PostAsJsonAsync(path, new { side = "buy", outcome = n % 2 == 0 ? "YES" : "NO", amount, account = Place.Account(i) }).ConfigureAwait(false);
                Interlocked.Add(ref refused, answer.IsSuccessStatusCode ? 0 : 1);
                await Task.Delay(HostilePace, CancellationToken.None).ConfigureAwait(false);
            }
        })).ConfigureAwait(false);
        return refused;
    }

    /// <summary>The default rule set with every rule on and limits that this load does not reach.</summary>
    private static async Task<string> PublishAsync(TradingSystem host)
    {
        const string Name = "bench";
        var yaml = BuiltInPolicies.Yaml(BuiltInPolicies.Default).Split('\n').Select(line => line.Split(':')[0] is var field && field.Trim() switch
        {
            "name" => Name,
            "max_exposure_per_user" or "max_open_interest" => "9000000000",
            "max_trade_rate" => "1000000/min",
            "max_bps" or "min_bps" or "warn_bps" => "10000",
            "move_bps" or "min_trades" or "refused_per_minute" => "1000000",
            "pairs" => "100",
            "tolerance_bps" => "0",
            _ => null,
        } is { } value ? $"{field}: {value}" : line);
        var text = string.Join('\n', yaml);
        var policy = PolicyFile.Read(text) is { Policy: { } read } ? read : throw new InvalidOperationException("The benchmark's rule set is faulty.");
        await host.PublishAsync(text, policy).ConfigureAwait(false);
        return Name;
    }

    private static double P99(LoadResult result) => result.Tally.Latency.Percentile(0.99).TotalMilliseconds;

    private static void Say(FormattableString text) => Console.Error.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
