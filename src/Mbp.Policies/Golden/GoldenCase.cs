using System.Globalization;
using Mbp.Domain.Units;
using NodaTime;
using YamlDotNet.RepresentationModel;

namespace Mbp.Policies.Golden;

/// <summary>A mapping of a golden file. Nothing in it has a meaning by being left out but what is asked for as optional, and nothing unknown is passed over.</summary>
public sealed class GoldenCase(YamlMappingNode node)
{
    /// <summary>Second 0 of every case: a 5-minute end, and a tick.</summary>
    public static readonly Instant Start = Instant.FromUtc(2026, 1, 1, 0, 0);

    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    public long Line => node.Start.Line;

    public string Text(string name) => OptionalText(name) ?? throw new FormatException($"'{name}' is missing");

    public string? OptionalText(string name) => Find(name) switch
    {
        null => null,
        YamlScalarNode { Value: { } value } => value,
        var other => throw new FormatException($"line {other.Start.Line}: '{name}' is one value"),
    };

    public IEnumerable<GoldenCase> Cases(string name) => Items(name).Select(
        item => item is YamlMappingNode mapping ? new GoldenCase(mapping) : throw new FormatException($"line {item.Start.Line}: a case is a mapping"));

    /// <summary>A list of short lists of values, such as the steps of a case.</summary>
    public IEnumerable<GoldenRow> Rows(string name, int fields, int most = 0) => Items(name).Select(item => item is YamlSequenceNode row
        && row.Children.Count >= fields && row.Children.Count <= Math.Max(fields, most) && row.Children.All(value => value is YamlScalarNode { Value: not null })
            ? new GoldenRow(row.Start.Line, [.. row.Children.Select(value => ((YamlScalarNode)value).Value!)])
            : throw new FormatException($"line {item.Start.Line}: an entry of '{name}' has {fields} values"));

    /// <summary>Looks for what nobody asked for.</summary>
    /// <exception cref="FormatException">There is something.</exception>
    public void Close()
    {
        if (node.Children.Keys.FirstOrDefault(key => !_asked.Contains(key.ToString())) is { } unknown)
        {
            throw new FormatException($"line {unknown.Start.Line}: '{unknown}' is no field here; there are {string.Join(", ", _asked)}");
        }
    }

    private IEnumerable<YamlNode> Items(string name) => Find(name) is YamlSequenceNode list ? list.Children : throw new FormatException($"line {Line}: '{name}' is a list");

    private YamlNode? Find(string name)
    {
        _asked.Add(name);
        return node.Children.TryGetValue(new YamlScalarNode(name), out var found) ? found : null;
    }
}

/// <summary>A short list of values, such as <c>[60, ana, buy, YES, 1000, accept]</c>.</summary>
public sealed record GoldenRow(long Line, EquatableArray<string> Values)
{
    public string this[int index] => Values[index];

    // 30 days: every tick up to a case's end is judged, and a case is to be over some day.
    private const int MostSeconds = 30 * NodaConstants.SecondsPerDay;

    private const int MostTimes = 10_000;

    /// <summary>An instant as seconds since the case began, to the 10 millionth.</summary>
    public Instant At(int index) => GoldenCase.Start + Duration.FromTicks(
        decimal.TryParse(Values[index], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds <= MostSeconds
            && decimal.IsInteger(seconds * NodaConstants.TicksPerSecond)
            ? (long)(seconds * NodaConstants.TicksPerSecond)
            : throw new FormatException($"line {Line}: '{Values[index]}' is no number of seconds from 0 to {MostSeconds}, with at most 7 decimals"));

    /// <summary>How often a step is repeated.</summary>
    public int Times(int index) => int.TryParse(Values[index], NumberStyles.None, CultureInfo.InvariantCulture, out var times) && times is >= 1 and <= MostTimes
        ? times
        : throw new FormatException($"line {Line}: '{Values[index]}' is no number of times from 1 to {MostTimes}");

    /// <summary>A decimal number of 8 decimals, in units.</summary>
    public long Units(int index) => Decimal8.TryParse(Values[index], out var units, out var rule) ? units : throw new FormatException($"line {Line}: '{Values[index]}' {rule}");
}
