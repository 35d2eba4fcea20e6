using System.Globalization;
using NodaTime;

namespace Mbp.Cli.Exercising;

/// <summary>An exercise of S3, section 7: what goes wrong on purpose, and what must happen then.</summary>
/// <param name="Name">As in the requirements.</param>
/// <param name="Inject">What is done.</param>
/// <param name="Expect">What must be seen.</param>
/// <param name="Field">The field of the rule set without which nothing may happen: so the exercise is seen to fail first.</param>
/// <param name="Run">Does it under a rule set, and says what it saw.</param>
/// <param name="Holds">Whether that is what must be seen.</param>
internal sealed record Exercise(
    string Name, string Inject, string Expect, string Field, Func<ExerciseStage, string, CancellationToken, Task<Observation>> Run, Func<Observation, bool> Holds);

internal static class Exercises
{
    private static readonly Duration Tick = Duration.FromSeconds(30);
    private static readonly Duration Window = Duration.FromMinutes(5);
    private static readonly Duration Moment = Duration.FromSeconds(5);

    public static IReadOnlyList<Exercise> All { get; } =
    [
        new(
            "price_spike_divergence", "engine.price_spike(delta_pct=1.5, window='2m')", "action=='freeze' && notify.contains('PM/SRE')", "freeze", SpikeAsync,
            seen => seen is { Action: "freeze", HaltLevel: "hard", Status: "paused" } && seen.Notify!.Contains("PM/SRE", StringComparison.Ordinal)),
        new(
            "liquidity_depth_gap", "engine.remove_liquidity(to_depth_2pct=400)", "action=='degrade_route' && route=='liquidity_program'", "halts.depth_floor", GapAsync,
            seen => seen is { Action: "degrade_route", Route: "liquidity_program", HaltLevel: "soft" }),
        new(
            "resolution_sla_breach", "events.delay('resolution_finished', hours=25)", "action=='freeze' && owner=='PM/BC'", "resolution.sla_hours", LateAsync,
            seen => seen is { Action: "freeze", Notify: "PM/BC", HaltLevel: "hard" }),
        new(
            "abuse_burst", "engine.burst_trades(rate='x3', duration='5m')", "action=='alert+moderation' && market.status in ['paused','limited']", "abuse.burst", BurstAsync,
            seen => seen is { Action: "alert+moderation", HaltLevel: "soft" or "hard" }),
    ];

    /// <summary>A price that stood still jumps by 1.5 % and stays there for two minutes.</summary>
    private static async Task<Observation> SpikeAsync(ExerciseStage stage, string ruleset, CancellationToken cancellationToken)
    {
        var market = await stage.MarketAsync("Does a spike freeze it?", ruleset, "100000", cancellationToken).ConfigureAwait(false);
        // Two traders, each within the cap of 1,000 CE$: 0.5 to 0.5075.
        await stage.AccountAsync("exercise-spike-1", "10000", cancellationToken).ConfigureAwait(false);
        await stage.AccountAsync("exercise-spike-2", "10000", cancellationToken).ConfigureAwait(false);
        // A whole window must lie before the one that the spike is in.
        var begin = ExerciseStage.NextAfter(await stage.NowAsync(cancellationToken).ConfigureAwait(false) + Window, Window, Moment);
        await stage.SetAsync(begin, cancellationToken).ConfigureAwait(false);
        ExerciseStage.Must(await stage.BuyAsync(market, "exercise-spike-1", "760", cancellationToken).ConfigureAwait(false));
        ExerciseStage.Must(await stage.BuyAsync(market, "exercise-spike-2", "760", cancellationToken).ConfigureAwait(false));
        await stage.UntilAsync(
            begin + Duration.FromMinutes(2), async () => (await stage.ObserveAsync(market, cancellationToken).ConfigureAwait(false)).HaltLevel == "hard", cancellationToken).ConfigureAwait(false);
        var seen = await stage.ObserveAsync(market, cancellationToken).ConfigureAwait(false);
        if (seen.HaltLevel == "hard")
        {
            // The freeze is one: nobody trades. And it ends by itself once the price has stood still.
            var refused = await stage.BuyAsync(market, "exercise-spike-1", "1", cancellationToken).ConfigureAwait(false);
            var now = await stage.NowAsync(cancellationToken).ConfigureAwait(false);
            var opened = await stage.UntilAsync(
                now + Duration.FromMinutes(40), async () => (await stage.ObserveAsync(market, cancellationToken).ConfigureAwait(false)).HaltLevel == "none", cancellationToken).ConfigureAwait(false);
            seen = seen with { HaltLevel = refused.Code == "markets.halted" && opened ? "hard" : $"hard, but a trade got {refused.Status} {refused.Code}, and it opened again: {opened}" };
        }

        return seen;
    }

    /// <summary>A pool that had the depth loses liquidity until 400 shares of it are left.</summary>
    private static async Task<Observation> GapAsync(ExerciseStage stage, string ruleset, CancellationToken cancellationToken)
    {
        const string Maker = "exercise-maker";
        var market = await stage.MarketAsync("Does a thin pool slow it?", ruleset, "10000", cancellationToken).ConfigureAwait(false);
        await stage.AccountAsync(Maker, "10000", cancellationToken).ConfigureAwait(false);
        var added = ExerciseStage.Must(await stage.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "5000", account = Maker }, cancellationToken).ConfigureAwait(false));
        // Depth that is taken away within the hour was never the market's.
        var begin = ExerciseStage.NextAfter(await stage.NowAsync(cancellationToken).ConfigureAwait(false) + Duration.FromHours(1), Tick, Moment);
        await stage.SetAsync(begin, cancellationToken).ConfigureAwait(false);
        ExerciseStage.Must(await stage.PostAsync(
            $"/v2/markets/{market}/liquidity", new { op = "remove", lpShares = added.Text("minted"), account = Maker }, cancellationToken).ConfigureAwait(false));
        await stage.SetAsync(begin + Tick, cancellationToken).ConfigureAwait(false);
        return await stage.ObserveAsync(market, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A market closes, its resolution begins, and 25 hours go by without a value.</summary>
    private static async Task<Observation> LateAsync(ExerciseStage stage, string ruleset, CancellationToken cancellationToken)
    {
        var market = await stage.MarketAsync("Is it resolved in time?", ruleset, "10000", cancellationToken).ConfigureAwait(false);
        ExerciseStage.Must(await stage.PostAsync($"/v2/markets/{market}/close", new { reason = "exercise" }, cancellationToken).ConfigureAwait(false));
        ExerciseStage.Must(await stage.PostAsync($"/v2/markets/{market}/resolution/start", new { }, cancellationToken).ConfigureAwait(false));
        await stage.SetAsync(await stage.NowAsync(cancellationToken).ConfigureAwait(false) + Duration.FromHours(25), cancellationToken).ConfigureAwait(false);
        // The market clock is not the ticks': it looks ten times a second.
        for (var i = 0; i < 20 && (await stage.ObserveAsync(market, cancellationToken).ConfigureAwait(false)).HaltLevel != "hard"; i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken).ConfigureAwait(false);
        }

        return await stage.ObserveAsync(market, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Five accounts trade at an even pace for a quarter of an hour, and then three times as fast for five minutes.</summary>
    private static async Task<Observation> BurstAsync(ExerciseStage stage, string ruleset, CancellationToken cancellationToken)
    {
        const int Accounts = 5;
        var market = await stage.MarketAsync("Is a burst seen?", ruleset, "100000", cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < Accounts; i++)
        {
            await stage.AccountAsync($"exercise-burst-{i}", "10000", cancellationToken).ConfigureAwait(false);
        }

        var begin = ExerciseStage.NextAfter(await stage.NowAsync(cancellationToken).ConfigureAwait(false), Tick, Moment);
        var at = begin;
        await TradeAsync(at + Duration.FromMinutes(15), perTick: 11).ConfigureAwait(false);
        await TradeAsync(at + Window, perTick: 33).ConfigureAwait(false);
        return await stage.ObserveAsync(market, cancellationToken).ConfigureAwait(false);

        async Task TradeAsync(Instant end, int perTick)
        {
            for (; at < end; at += Tick)
            {
                await stage.SetAsync(at, cancellationToken).ConfigureAwait(false);
                if ((await stage.ObserveAsync(market, cancellationToken).ConfigureAwait(false)).Action == "alert+moderation")
                {
                    return;
                }

                for (var i = 0; i < perTick; i++)
                {
                    // Whoever is refused in slow mode is part of the burst all the same.
                    await stage.BuyAsync(market, string.Create(CultureInfo.InvariantCulture, $"exercise-burst-{i % Accounts}"), "1", cancellationToken).ConfigureAwait(false);
                }
            }

            await stage.SetAsync(at, cancellationToken).ConfigureAwait(false);
        }
    }
}
