using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Pricing;

/// <summary>
/// A market's prices in constant memory: enough for exact averages over up to 15 minutes at ticks, which are the multiples of 30 s since the
/// epoch. Every rule on prices is judged at ticks (spec D13); <see cref="PriceHistory"/> answers for any instant.
/// </summary>
/// <param name="Last">The last quote's time.</param>
/// <param name="Prices">The prices since then.</param>
/// <param name="Sums">The integrals up to then.</param>
/// <param name="Ticks">The state at the latest ticks up to <paramref name="Last"/>, without a gap.</param>
/// <param name="First">The first quote's time; null: there is none yet.</param>
/// <param name="Version">The events of the market's stream so far: which quotes a window is made of is said by versions.</param>
public sealed record PriceTrack(
    Instant Last, EquatableArray<Price> Prices, EquatableArray<PriceSum> Sums, EquatableArray<PriceTick> Ticks, Instant? First = null, long Version = 0)
{
    public static readonly Duration TickLength = Duration.FromSeconds(30);

    /// <summary>Fifteen minutes of window, and five in which a tick may be judged after later quotes have already come in.</summary>
    private static readonly Duration Kept = Duration.FromMinutes(20);

    public static PriceTrack Empty { get; } = new(default, [], [], []);

    /// <summary>Whether an instant is a multiple of 30 s since the epoch.</summary>
    public static bool IsTick(Instant at) => TickAtOrBefore(at) == at;

    /// <summary>The last multiple of 30 s up to an instant.</summary>
    public static Instant TickAtOrBefore(Instant at)
    {
        var ticks = at.ToUnixTimeTicks();
        var length = TickLength.BclCompatibleTicks;
        var since = (ticks % length + length) % length;
        return Instant.FromUnixTimeTicks(ticks - since);
    }

    /// <summary>The first multiple of 30 s from an instant on.</summary>
    public static Instant TickAtOrAfter(Instant at) => TickAtOrBefore(at + TickLength - Duration.Epsilon);

    public PriceTrack Observe(EquatableArray<Price> prices, Instant at)
    {
        if (First is null)
        {
            var none = EquatableArray.Own(new PriceSum[prices.Count]);
            return new PriceTrack(at, prices, none, IsTick(at) ? [new PriceTick(at, prices, none, Version + 1)] : [], at, Version + 1);
        }

        if (at < Last)
        {
            throw new InvalidOperationException($"A quote at {at} cannot follow one at {Last}.");
        }

        return this with { Last = at, Prices = prices, Sums = SumsAt(at), Ticks = TicksUntil(at, prices), Version = Version + 1 };
    }

    /// <summary>An event of the market that quotes nothing.</summary>
    public PriceTrack Pass() => this with { Version = Version + 1 };

    /// <summary>The prices in force at a kept tick, or since the last quote; quotes at the instant included.</summary>
    /// <exception cref="InvalidOperationException">The instant lies before the last quote and is no kept tick.</exception>
    public EquatableArray<Price> PricesAt(Instant at) => at >= Last ? Prices : TickAt(at).Prices;

    /// <summary>The version of the market's stream with the last quote at or before a kept tick; 0 up to the first quote.</summary>
    /// <exception cref="InvalidOperationException">The instant lies before the last quote and is no kept tick.</exception>
    public long VersionAt(Instant at) => at >= Last ? Version : at <= First ? 0 : TickAt(at).Version;

    /// <summary>The average over [at - window, at); null with no quote at or before <paramref name="at"/>.</summary>
    /// <exception cref="InvalidOperationException">An end of the window lies before the last quote and is no kept tick.</exception>
    public Twap? Twap(Instant at, Duration window)
    {
        if (First is not { } first || at < first)
        {
            return null;
        }

        var start = Instant.Max(at - window, first);
        var (from, to) = (SumsAt(start), SumsAt(at));
        var sums = new PriceSum[to.Count];
        for (var i = 0; i < sums.Length; i++)
        {
            sums[i] = to[i] - from[i];
        }

        return new Twap(PricesAt(at), EquatableArray.Own(sums), (at - start).BclCompatibleTicks);
    }

    private EquatableArray<PriceSum> SumsAt(Instant at) =>
        at >= Last ? PriceSum.After(Sums, Prices, at - Last)
        : at == First ? EquatableArray.Own(new PriceSum[Sums.Count])
        : TickAt(at).Sums;

    private PriceTick TickAt(Instant at)
    {
        var index = Ticks.Count == 0 ? -1 : (at - Ticks[0].At).BclCompatibleTicks / TickLength.BclCompatibleTicks;
        return index >= 0 && index < Ticks.Count && Ticks[(int)index].At == at
            ? Ticks[(int)index]
            : throw new InvalidOperationException($"The prices at {at} are not kept; the last quote was at {Last}.");
    }

    private EquatableArray<PriceTick> TicksUntil(Instant at, EquatableArray<Price> prices)
    {
        var oldest = at - Kept;
        // Of several quotes at one instant the last counts, also where that instant is a tick.
        var next = TickAtOrBefore(Last) + (at == Last && IsTick(at) ? Duration.Zero : TickLength);
        if (next > at)
        {
            return Ticks;
        }

        var ticks = new List<PriceTick>();
        foreach (var tick in Ticks)
        {
            if (tick.At >= oldest && tick.At < next)
            {
                ticks.Add(tick);
            }
        }

        for (next = Instant.Max(next, TickAtOrBefore(oldest) + TickLength); next <= at; next += TickLength)
        {
            ticks.Add(new PriceTick(next, next == at ? prices : Prices, PriceSum.After(Sums, Prices, next - Last), next == at ? Version + 1 : Version));
        }

        return [.. ticks];
    }
}

/// <summary>The prices in force at a tick, quotes at it included, the integrals up to it, and the version of the market's stream then.</summary>
public sealed record PriceTick(Instant At, EquatableArray<Price> Prices, EquatableArray<PriceSum> Sums, long Version = 0);
