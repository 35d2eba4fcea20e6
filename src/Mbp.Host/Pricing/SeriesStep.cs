using Mbp.Host.Platform;
using NodaTime;

namespace Mbp.Host.Pricing;

/// <summary>How far the points of a series are apart.</summary>
internal sealed record SeriesStep(string Name, Duration Length)
{
    public const int MostPoints = 500;

    public static readonly IReadOnlyList<SeriesStep> All =
    [
        new("1m", Duration.FromMinutes(1)), new("5m", Duration.FromMinutes(5)), new("15m", Duration.FromMinutes(15)),
        new("1h", Duration.FromHours(1)), new("4h", Duration.FromHours(4)), new("1d", Duration.FromDays(1)),
    ];

    /// <summary>The last step at or before an instant; days begin at midnight UTC.</summary>
    public Instant AtOrBefore(Instant at)
    {
        var (ticks, length) = (at.ToUnixTimeTicks(), Length.BclCompatibleTicks);
        return Instant.FromUnixTimeTicks(ticks - (ticks % length + length) % length);
    }

    /// <summary>The finest that shows the range in some 500 points; the coarsest where none does.</summary>
    public static SeriesStep For(Duration range) => All.FirstOrDefault(step => range <= step.Length * MostPoints) ?? All[^1];
}

/// <summary>What a series is asked over.</summary>
/// <param name="Step">How far its points are apart: as asked for, or chosen by the range.</param>
/// <param name="From">Its beginning.</param>
/// <param name="To">Its end, which is no part of it.</param>
internal readonly record struct SeriesRange(SeriesStep Step, Instant From, Instant To)
{
    /// <summary>Reads <c>resolution</c>, <c>from</c> and <c>to</c>: from the market's beginning until now where they are absent.</summary>
    public static SeriesRange Read(Fields fields, string? resolution, string? from, string? to, Instant begin, Instant now)
    {
        var start = fields.OptionalInstant("from", from) ?? begin;
        var end = fields.OptionalInstant("to", to) ?? now;
        if (end < start)
        {
            fields.Fail("to", "Is not before `from`.");
            end = start;
        }

        if (resolution is null or "auto")
        {
            return new SeriesRange(SeriesStep.For(Instant.Min(end, now) - Instant.Max(start, begin)), start, end);
        }

        fields.OneOf("resolution", resolution, [.. SeriesStep.All.Select(step => step.Name), "auto"]);
        return new SeriesRange(SeriesStep.All.FirstOrDefault(step => step.Name == resolution) ?? SeriesStep.All[0], start, end);
    }
}
