using System.Globalization;

namespace Mbp.Benchmarks.Systems;

/// <summary>What a host says about its memory on <c>/metrics</c>.</summary>
/// <param name="AllocatedBytes">All that was ever allocated on its heap.</param>
/// <param name="HeapBytes">The heap after the last collection.</param>
/// <param name="CommittedBytes">What the garbage collector holds from the system.</param>
/// <param name="WorkingSetBytes">Physical memory.</param>
internal sealed record HostMetrics(long AllocatedBytes, long HeapBytes, long CommittedBytes, long WorkingSetBytes)
{
    public static HostMetrics Parse(string page)
    {
        var sums = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var line in page.Split('\n').Where(l => l.StartsWith("dotnet_", StringComparison.Ordinal)))
        {
            // One family's series (the generations of the heap) add up.
            var name = line[..line.IndexOfAny(['{', ' '])];
            sums[name] = sums.GetValueOrDefault(name) + double.Parse(line.AsSpan(line.LastIndexOf(' ') + 1), CultureInfo.InvariantCulture);
        }

        return new HostMetrics(
            Need("dotnet_gc_heap_total_allocated_total"), Need("dotnet_gc_last_collection_heap_size"),
            Need("dotnet_gc_last_collection_memory_committed_size"), Need("dotnet_process_memory_working_set"));

        long Need(string name) => sums.TryGetValue(name, out var value) ? (long)value : 0;
    }
}
