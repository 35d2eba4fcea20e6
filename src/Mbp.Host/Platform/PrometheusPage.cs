using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Mbp.Host.Platform;

/// <summary>
/// <c>/metrics</c> in Prometheus text, from .NET's own instruments. Histograms have fixed buckets in seconds, which suit every duration here.
/// </summary>
internal sealed class PrometheusPage : IDisposable
{
    private static readonly double[] Buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1, 2.5, 5, 10];

    private static readonly string[] Watched =
    [
        Telemetry.Name, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime", "Npgsql",
    ];

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<Instrument, SeriesOf> _instruments = new();

    public PrometheusPage()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (Watched.Contains(instrument.Meter.Name))
            {
                listener.EnableMeasurementEvents(instrument, _instruments.GetOrAdd(instrument, static key => new SeriesOf(KindOf(key))));
            }
        };
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, series) => ((SeriesOf)series!).With(tags).Record(value));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, series) => ((SeriesOf)series!).With(tags).Record(value));
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, series) => ((SeriesOf)series!).With(tags).Record(value));
        _listener.Start();
    }

    public string Render()
    {
        _listener.RecordObservableInstruments();
        var page = new StringBuilder();
        var used = _instruments.Where(i => !i.Value.IsEmpty);
        foreach (var family in used.GroupBy(i => NameOf(i.Key)).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var (first, kind) = (family.First().Key, family.First().Value.Kind);
            page.Append(CultureInfo.InvariantCulture, $"# HELP {family.Key} {Escape(first.Description ?? family.Key)}\n");
            page.Append(CultureInfo.InvariantCulture, $"# TYPE {family.Key} {kind}\n");
            foreach (var series in family.SelectMany(i => i.Value.All))
            {
                series.Render(page, family.Key);
            }
        }

        return page.ToString();
    }

    public void Dispose() => _listener.Dispose();

    private static string KindOf(Instrument instrument) => instrument.GetType().Name switch
    {
        // .NET declares these two as counters, and they go up and down.
        _ when instrument.Name is "dotnet.thread_pool.queue.length" or "dotnet.thread_pool.thread.count" => "gauge",
        var n when n.StartsWith("Histogram", StringComparison.Ordinal) => "histogram",
        var n when n.StartsWith("Counter", StringComparison.Ordinal) => "counter",
        var n when n.StartsWith("ObservableCounter", StringComparison.Ordinal) => "counter_total",
        var n when n.StartsWith("UpDownCounter", StringComparison.Ordinal) => "gauge_sum",
        _ => "gauge",
    };

    private static string NameOf(Instrument instrument)
    {
        var name = new string([.. instrument.Name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_')]);
        var seconds = instrument.Unit == "s" && !name.EndsWith("_seconds", StringComparison.Ordinal) ? $"{name}_seconds" : name;
        return KindOf(instrument).StartsWith("counter", StringComparison.Ordinal) && !seconds.EndsWith("_total", StringComparison.Ordinal) ? $"{seconds}_total" : seconds;
    }

    private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.IsEmpty)
        {
            return "";
        }

        var labels = new StringBuilder();
        foreach (var (name, value) in tags)
        {
            labels.Append(labels.Length == 0 ? "" : ",");
            labels.Append(new string([.. name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_')]));
            labels.Append("=\"").Append(Escape(Convert.ToString(value, CultureInfo.InvariantCulture) ?? "").Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"');
        }

        return labels.ToString();
    }

    private static string Escape(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    /// <summary>One instrument's series. Every request records several values, so finding theirs again makes no text.</summary>
    private sealed class SeriesOf(string kind)
    {
        private readonly ConcurrentDictionary<int, Series[]> _byHash = new();

        public string Kind => kind switch
        {
            "counter_total" => "counter",
            "gauge_sum" => "gauge",
            _ => kind,
        };

        public bool IsEmpty => _byHash.IsEmpty;

        public IEnumerable<Series> All => _byHash.Values.SelectMany(series => series);

        public Series With(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var hash = default(HashCode);
            foreach (var (name, value) in tags)
            {
                hash.Add(name);
                hash.Add(value);
            }

            var key = hash.ToHashCode();
            return _byHash.TryGetValue(key, out var same) && Find(same, tags) is { } known ? known : Add(key, tags);
        }

        private Series Add(int key, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var added = new Series(kind, [.. tags]);
            var all = _byHash.AddOrUpdate(key, static (_, one) => [one], static (_, many, one) => Find(many, one.Tags) is null ? [.. many, one] : many, added);
            return Find(all, tags)!;
        }

        private static Series? Find(Series[] series, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            foreach (var one in series)
            {
                if (AreEqual(one.Tags, tags))
                {
                    return one;
                }
            }

            return null;
        }

        // A pair has no equality of its own but a slow one by reflection.
        private static bool AreEqual(ReadOnlySpan<KeyValuePair<string, object?>> left, ReadOnlySpan<KeyValuePair<string, object?>> right)
        {
            var equal = left.Length == right.Length;
            for (var i = 0; equal && i < left.Length; i++)
            {
                equal = left[i].Key == right[i].Key && Equals(left[i].Value, right[i].Value);
            }

            return equal;
        }
    }

    private sealed class Series(string kind, KeyValuePair<string, object?>[] tags)
    {
        private readonly long[] _counts = new long[Buckets.Length];
        private readonly Lock _gate = new();
        private double _sum;
        private long _count;

        public KeyValuePair<string, object?>[] Tags => tags;

        public void Record(double value)
        {
            lock (_gate)
            {
                _count++;
                _sum = kind is "gauge" or "counter_total" ? value : _sum + value;
                for (var i = 0; kind == "histogram" && i < Buckets.Length; i++)
                {
                    _counts[i] += value <= Buckets[i] ? 1 : 0;
                }
            }
        }

        public void Render(StringBuilder page, string name)
        {
            var labels = Labels(tags);
            lock (_gate)
            {
                var braces = labels.Length == 0 ? "" : $"{{{labels}}}";
                if (kind != "histogram")
                {
                    page.Append(CultureInfo.InvariantCulture, $"{name}{braces} {_sum}\n");
                    return;
                }

                var prefix = labels.Length == 0 ? "" : $"{labels},";
                for (var i = 0; i < Buckets.Length; i++)
                {
                    page.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{prefix}le=\"{Buckets[i]}\"}} {_counts[i]}\n");
                }

                page.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{prefix}le=\"+Inf\"}} {_count}\n");
                page.Append(CultureInfo.InvariantCulture, $"{name}_sum{braces} {_sum}\n{name}_count{braces} {_count}\n");
            }
        }
    }
}
