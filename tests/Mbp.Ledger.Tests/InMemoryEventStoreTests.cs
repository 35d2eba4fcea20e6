using System.Text;
using NodaTime;
using Xunit;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests;

public sealed class InMemoryEventStoreTests : EventStoreContract
{
    private readonly InMemoryLog _log = new();

    protected override IEventStore NewHost() => new InMemoryEventStore(_log);

    protected override Task BreakLeaseAsync()
    {
        _log.BreakLease();
        return Task.CompletedTask;
    }

    protected override Task<IReadOnlyList<string>> MessagesAsync(Guid id) =>
        Task.FromResult<IReadOnlyList<string>>([.. _log.Outbox.Where(message => message.Id == id).Select(message => message.Body.Text())]);

    protected override Task<long> DeleteOldCommandsAsync(Instant before) => ((InMemoryEventStore)Store).DeleteOldCommandsAsync(before, None);

    [Theory]
    [InlineData(CommitFault.LostBeforeCommit, 0)]
    [InlineData(CommitFault.LostAfterCommit, 1)]
    public async Task A_broken_connection_is_an_unknown_outcome(CommitFault fault, int written)
    {
        var lease = await AcquireAsync();
        _log.Faults = _ => fault;
        await Assert.ThrowsAsync<UnknownOutcomeException>(() => Store.AppendAsync(lease, new Batch(Event(Stream(), 1))));
        Assert.True(lease.Lost.IsCancellationRequested);
        Assert.Equal(written, await Store.HeadAsync(None));
    }

    [Fact]
    public async Task A_store_out_of_order_writes_nothing_and_keeps_the_lease()
    {
        var lease = await AcquireAsync();
        _log.Faults = _ => CommitFault.Unavailable;
        await Assert.ThrowsAsync<StoreUnavailableException>(() => Store.AppendAsync(lease, new Batch(Event(Stream(), 1))));
        _log.Faults = null;
        Assert.Equal(1, await Store.AppendAsync(lease, new Batch(Event(Stream(), 1))));
    }

    [Fact]
    public async Task A_callers_buffer_may_be_reused_after_the_append()
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        var e = Event(stream, 1, """{"n":1}""");
        await Store.AppendAsync(lease, new Batch(e));
        Encoding.UTF8.GetBytes("""{"n":2}""", e.Body.Data);
        Assert.Equal("""{"n":1}""", Assert.Single(await Store.ReadStreamAsync(stream, 0, None).AllAsync()).Data.Text());
    }
}
