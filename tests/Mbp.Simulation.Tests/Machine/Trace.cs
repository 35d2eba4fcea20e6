using System.Globalization;

namespace Mbp.Simulation.Tests.Machine;

/// <summary>What happened, in words for a reader and in a number that two runs of one seed must agree on.</summary>
internal sealed class Trace(bool keepAll)
{
    private const int Tail = 60;

    private readonly Queue<(long At, string Who, string What)> _lines = new();

    /// <summary>FNV-1a over every step and every line.</summary>
    public ulong Hash { get; private set; } = 14695981039346656037;

    public IEnumerable<string> Lines => _lines.Select(line =>
        string.Create(CultureInfo.InvariantCulture, $"{line.At / 10_000.0,12:0.0000} ms  {line.Who,-8} {line.What}"));

    public void Mix(ulong value) => Hash = unchecked((Hash ^ value) * 1099511628211);

    public void Add(long at, string who, string what)
    {
        Mix((ulong)at);
        foreach (var c in what)
        {
            Mix(c);
        }

        _lines.Enqueue((at, who, what));
        if (!keepAll && _lines.Count > Tail)
        {
            _lines.Dequeue();
        }
    }
}
