using System.Text;
using System.Text.RegularExpressions;
using Mbp.Domain;
using Mbp.Ledger;
using Xunit;

namespace Mbp.Architecture.Tests;

/// <summary>Events are stored for ever: each has a name, a body that reads back as it was written, and a sample that shows every change.</summary>
public sealed partial class EventTests
{
    [Fact]
    public void Every_event_has_a_name()
    {
        var named = Slices.Catalog().Names.Select(e => e.Type).ToHashSet();
        var events = typeof(Slices).Assembly.GetTypes().Where(IsEvent).ToList();
        Assert.True(events.Count >= 20);
        Assert.Equal(events.OrderBy(type => type.Name), named.OrderBy(type => type.Name));
    }

    [Fact]
    public void Names_are_snake_case_and_unlike()
    {
        var names = Slices.Catalog().Names.Select(e => e.Name).ToList();
        Assert.All(names, name => Assert.Matches(SnakeCase(), name));
        Assert.Equal(names.Count, names.Distinct().Count());
    }

    [Fact]
    public void Bodies_are_as_they_were_and_read_back_as_written()
    {
        var catalog = Slices.Catalog();
        var text = new StringBuilder();
        foreach (var slice in Slices.All)
        {
            text.Append("# ").AppendLine(slice.Name);
            var own = new EventCatalog();
            slice.Wire(own);
            foreach (var (name, type) in own.Names)
            {
                var sample = EventSamples.Of(type);
                var encoded = catalog.Encode(sample);
                Assert.Equal(name, encoded.Type);
                Assert.Equal(sample, catalog.Decode(encoded.Type, encoded.Data));
                text.Append(name).Append(' ').AppendLine(Encoding.UTF8.GetString(encoded.Data));
            }
        }

        Mbp.Testing.Snapshot.Match(text.ToString());
    }

    private static bool IsEvent(Type type) => type is { IsSealed: true, IsAbstract: false, BaseType: { IsAbstract: true } family } && family.Name.EndsWith("Event", StringComparison.Ordinal);

    [GeneratedRegex("^[a-z][a-z0-9]*(_[a-z0-9]+)*$")]
    private static partial Regex SnakeCase();
}
