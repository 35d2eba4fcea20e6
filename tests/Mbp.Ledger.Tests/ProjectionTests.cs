using Mbp.Ledger.Tests.Writing;
using Xunit;

namespace Mbp.Ledger.Tests;

public sealed class ProjectionTests
{
    // A row for each stream that counted; a row that came back to nothing is removed.
    private static readonly Projection<string, Count> Totals = new(
        "totals", Version: 1,
        recorded => recorded.Data is Counted ? recorded.Stream.Key : null,
        (row, recorded) => (row?.N ?? 0) + ((Counted)recorded.Data).By is var n && n == 0 ? null : new Count(n));

    [Fact]
    public void Rows_follow_the_events_of_their_key_and_go_when_there_is_nothing_left()
    {
        var rows = new Dictionary<string, Count>();
        Totals.ApplyTo(rows, Recorded("a", new Counted(2, Given.Noon)));
        Totals.ApplyTo(rows, Recorded("b", new Counted(3, Given.Noon)));
        Totals.ApplyTo(rows, Recorded("a", new Counted(5, Given.Noon)));
        Totals.ApplyTo(rows, Recorded("c", "an event that the projection is not about"));
        Assert.Equal(new Dictionary<string, Count> { ["a"] = new(7), ["b"] = new(3) }, rows);

        Totals.ApplyTo(rows, Recorded("a", new Counted(-7, Given.Noon)));
        Assert.Equal(["b"], rows.Keys);
    }

    private static Recorded Recorded(string key, object @event) => new(
        new StoredEvent(1, Counter.Stream(key), 1, Guid.Empty, "counted", default, Given.Noon, "", "", default), @event);
}
