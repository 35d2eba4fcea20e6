using System.Globalization;

namespace Mbp.Benchmarks.Load;

/// <summary>The markets and accounts that every benchmark trades with: ids of one width, so that a request's bytes are patched in place.</summary>
internal static class Place
{
    public const int Accounts = 512;

    /// <summary>Few markets, always in use.</summary>
    public static readonly MarketRange Hot = new(0, 32);

    /// <summary>Many markets, each seldom in use. None of them is a hot one.</summary>
    public static readonly MarketRange Cold = new(32, 2_032);

    /// <summary>The pool of each market, CE$: deep enough for hours of small trades.</summary>
    public const long Liquidity = 100_000;

    /// <summary>What each trader has, CE$.</summary>
    public const long Funds = 100_000_000;

    public static string Market(int number) => number.ToString("'m'00000", CultureInfo.InvariantCulture);

    /// <summary>Who pays for a market's pool: many, as the naive way would fail at one account that everybody writes to.</summary>
    public static string Opener(int market) => Account(market % Accounts);

    public static string Account(int number) => number.ToString("'a'00000", CultureInfo.InvariantCulture);
}

/// <summary>Markets by number: from <paramref name="First"/> up to, not including, <paramref name="End"/>.</summary>
internal readonly record struct MarketRange(int First, int End)
{
    public int Count => End - First;
}
