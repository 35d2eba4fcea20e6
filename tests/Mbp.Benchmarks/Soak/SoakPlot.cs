using System.Globalization;
using System.Text;

namespace Mbp.Benchmarks.Soak;

/// <summary>A soak as one picture (SVG): latency over time above, memory over time below.</summary>
internal static class SoakPlot
{
    private const int Width = 960;
    private const int PanelHeight = 240;
    private const int Left = 70;
    private const int Right = 130;
    private const int Top = 50;
    private const int Gap = 70;
    private const int Ticks = 5;
    private const double MiB = 1024 * 1024;

    private static readonly string[] Colours = ["#2b6cb0", "#dd6b20", "#c53030"];

    public static string Draw(IReadOnlyList<Window> windows, IReadOnlyList<MemorySample> memory, double rate)
    {
        var minutes = Math.Max(windows[^1].Start.TotalMinutes + windows[^1].Length.TotalMinutes, memory[^1].At.TotalMinutes);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Top + 2 * PanelHeight + Gap + 60}" font-family="sans-serif" font-size="13" fill="#2d3748">
            <rect width="100%" height="100%" fill="#ffffff"/>
            <text x="{Left}" y="28" font-size="17">{rate:0} trades a second for {minutes:0.#} minutes</text>

            """);
        Panel(svg, Top, minutes, "latency from the due time, ms",
            ("p50", Latency(0.5)), ("p95", Latency(0.95)), ("p99", Latency(0.99)));
        Panel(svg, Top + PanelHeight + Gap, minutes, "memory of the host, MiB",
            ("GC heap", Memory(m => m.Host.HeapBytes)), ("GC committed", Memory(m => m.Host.CommittedBytes)), ("working set", Memory(m => m.Host.WorkingSetBytes)));
        return svg.Append("</svg>\n").ToString();

        List<(double, double)> Latency(double share) =>
            [.. windows.Select(w => ((w.Start + w.Length / 2).TotalMinutes, w.Tally.Latency.Percentile(share).TotalMilliseconds))];

        List<(double, double)> Memory(Func<MemorySample, long> value) => [.. memory.Select(m => (m.At.TotalMinutes, value(m) / MiB))];
    }

    private static void Panel(StringBuilder svg, int top, double minutes, string label, params ReadOnlySpan<(string Name, List<(double X, double Y)> Points)> lines)
    {
        var largest = 0.0;
        foreach (var (_, points) in lines)
        {
            largest = Math.Max(largest, points.Max(p => p.Y));
        }

        var ceiling = Nice(largest);
        var (width, bottom) = (Width - Left - Right, top + PanelHeight);
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"{top - 8}\">{label}</text>\n");
        for (var i = 0; i <= Ticks; i++)
        {
            var (y, x) = (bottom - PanelHeight * i / Ticks, Left + width * i / Ticks);
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{Left} {y}H{Left + width}\" stroke=\"#e2e8f0\"/><text x=\"{Left - 8}\" y=\"{y + 4}\" text-anchor=\"end\">{ceiling * i / Ticks:0.###}</text>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x}\" y=\"{bottom + 18}\" text-anchor=\"middle\">{minutes * i / Ticks:0.##}</text>\n");
        }

        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left + width / 2}\" y=\"{bottom + 38}\" text-anchor=\"middle\">minutes</text>\n");
        for (var i = 0; i < lines.Length; i++)
        {
            var (name, points) = lines[i];
            var path = string.Join(' ', points.Select(p => string.Create(
                CultureInfo.InvariantCulture, $"{Left + width * p.X / minutes:0.0},{bottom - PanelHeight * p.Y / ceiling:0.0}")));
            svg.Append(CultureInfo.InvariantCulture, $"<polyline points=\"{path}\" fill=\"none\" stroke=\"{Colours[i]}\" stroke-width=\"1.5\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Width - Right + 12}\" y=\"{top + 14 + 20 * (lines.Length - 1 - i)}\" fill=\"{Colours[i]}\">{name}</text>\n");
        }
    }

    // 1, 2 or 5 and zeros.
    private static double Nice(double value)
    {
        if (value <= 0)
        {
            return 1;
        }

        var power = Math.Pow(10, Math.Floor(Math.Log10(value)));
        return new[] { 1.0, 2, 5, 10 }.First(step => step * power >= value) * power;
    }
}
