using System.Numerics;
using Mbp.Domain.Governance.Rulesets;

namespace Mbp.Domain.Tests.Reference;

/// <summary>A quote: milliseconds since the epoch, and a price for each outcome.</summary>
internal sealed record ModelQuote(long At, long[] Prices);

/// <summary>
/// A slow reading of the halt rules in the words of the spec (D10, D11, D13): the list of quotes that were taken, and the flags and counters that
/// the spec names. It shares nothing with the product, which keeps no flags and looks everything up in the prices again.
/// </summary>
internal sealed class HaltModel(FreezeRules? freeze, HaltRules halts)
{
    private const long Tick = 30_000;
    private const long Window = 300_000;
    private const long Day = 86_400_000;

    private readonly List<ModelQuote> _taken = [];
    private readonly List<long> _hardEntries = [];
    private int _level;
    private long _since;
    private int _entries;
    private bool _held;
    private int _breachesInRow;
    private int[] _outside = [];
    private int _clean;
    private bool _calm;

    /// <summary>Every change of level, ticks from 0 to the end.</summary>
    public List<(long At, int Level)> Run(IEnumerable<ModelQuote> quotes, long end)
    {
        var (waiting, log) = (new Queue<ModelQuote>(quotes), new List<(long, int)>());
        for (var tick = 0L; tick <= end; tick += Tick)
        {
            while (waiting.TryPeek(out var quote) && quote.At <= tick)
            {
                waiting.Dequeue();
                if (_level != 3)
                {
                    _taken.Add(quote);
                }
            }

            var before = _level;
            Judge(tick);
            if (_level != before)
            {
                log.Add((tick, _level));
            }
        }

        return log;
    }

    private void Judge(long tick)
    {
        var isEnd = tick % Window == 0;
        if (Covers(tick - Window))
        {
            var outcomes = _taken[0].Prices.Length;
            bool Far(int bps) => Enumerable.Range(0, outcomes).Any(outcome => Beyond(tick, outcome, bps));

            // The flags first, whatever the level: they are taken back where a Hard ends.
            var breach = isEnd && freeze?.Divergence is { } r1 && Far(r1.MaxBps);
            if (isEnd)
            {
                _breachesInRow = breach ? _breachesInRow + 1 : 0;
            }

            _calm &= !Far(halts.EaseWarnBps);
            if (isEnd && _level == 2)
            {
                _clean = Far(halts.EaseSoftBps) ? 0 : _clean + 1;
            }

            var band = SampleOutside(tick, outcomes);
            var called = breach && _breachesInRow >= freeze!.Divergence!.Windows || band ? 3
                : breach ? 2
                : Far(halts.WarnBps) ? 1
                : 0;
            if (called > _level)
            {
                Enter(called, tick);
            }
            else if (_level == 3 && !_held && tick >= _since + ((long)halts.CooldownSeconds * 1_000 << (_entries - 1)) && !Far(halts.EaseHardBps))
            {
                Enter(2, tick);
            }
            else if (_level == 2 && isEnd && _clean >= 2 && tick - _since >= Window)
            {
                Enter(1, tick);
            }
            else if (_level == 1 && isEnd && _calm)
            {
                Enter(0, tick);
            }
        }
        else
        {
            _calm = false;
        }

        if (isEnd)
        {
            (_outside, _calm) = ([], true);
        }
    }

    private void Enter(int level, long tick)
    {
        if (_level == 3)
        {
            (_breachesInRow, _outside) = (0, []);
        }

        if (level == 3)
        {
            _hardEntries.Add(tick);
            _entries = _hardEntries.Count(entry => entry > tick - Day);
            _held = _entries > halts.MaxReopenings;
        }

        (_level, _since, _clean) = (level, tick, 0);
    }

    /// <summary>R2 at a tick: counts the sample, and says whether it is one too many.</summary>
    private bool SampleOutside(long tick, int outcomes)
    {
        // Samples in (k, k + w] are held against [k - w, k).
        var k = (tick - 1) / Window * Window;
        if (freeze?.Band is not { } r2 || !Covers(k - Window))
        {
            return false;
        }

        _outside = _outside.Length == 0 ? new int[outcomes] : _outside;
        var freezes = false;
        for (var outcome = 0; outcome < outcomes; outcome++)
        {
            var (c1, c2, p) = (Integral(k - Window, k, outcome, 1), Integral(k - Window, k, outcome, 2), PriceAt(tick, outcome));
            var distance = BigInteger.Abs(p * Window - c1);
            if (distance * distance * 1_000_000_000 > 6_634_896_601 * (Window * c2 - c1 * c1) && distance * 10_000 > r2.MinBps * c1)
            {
                _outside[outcome]++;
                freezes |= _outside[outcome] >= r2.Samples;
            }
        }

        return freezes;
    }

    private bool Beyond(long tick, int outcome, int bps)
    {
        var c = Integral(tick - Window, tick, outcome, 1);
        return BigInteger.Abs(PriceAt(tick, outcome) * Window - c) * 10_000 > bps * c;
    }

    private bool Covers(long start) => _taken.Count > 0 && _taken[0].At <= start;

    private BigInteger PriceAt(long at, int outcome) => _taken.FindLast(quote => quote.At <= at)!.Prices[outcome];

    private BigInteger Integral(long from, long to, int outcome, int power)
    {
        var sum = BigInteger.Zero;
        for (var i = _taken.Count - 1; i >= 0; i--)
        {
            var (begin, end) = (Math.Max(from, _taken[i].At), Math.Min(to, i + 1 < _taken.Count ? _taken[i + 1].At : to));
            sum += end > begin ? BigInteger.Pow(_taken[i].Prices[outcome], power) * (end - begin) : 0;
            if (_taken[i].At <= from)
            {
                break;
            }
        }

        return sum;
    }
}
