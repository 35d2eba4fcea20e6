using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Reacting;
using Mbp.Ledger.Reacting;
using Mbp.Testing;
using Xunit;

namespace Mbp.Ledger.Tests.Reacting;

/// <summary>Cursors and messages in the database, with the projector's rights and no more.</summary>
public sealed class PostgresSubscriptionsTests(PostgresFixture database) : IClassFixture<PostgresFixture>, IAsyncDisposable
{
    private readonly PostgresSubscriptions _store = new(database.Connections);

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task A_cursor_moves_with_its_messages_or_not_at_all()
    {
        Assert.Null(await _store.FindAsync("mbp:outbox:one", default));
        await _store.CreateAsync("mbp:outbox:one", 5, default);
        await _store.CreateAsync("mbp:outbox:one", 9, default);
        Assert.Equal(5, await _store.FindAsync("mbp:outbox:one", default));

        // Out of order of their ids, and one of them for somebody else.
        var (a, b, c) = (Message("one", 'f'), Message("one", '1'), Message("two", '2'));
        Assert.True(await _store.AdvanceAsync("mbp:outbox:one", 5, 8, [new(6, a), new(7, b), new(8, c)], default));
        Assert.False(await _store.AdvanceAsync("mbp:outbox:one", 5, 9, [new(9, Message("one", '3'))], default));
        Assert.Equal(8, await _store.FindAsync("mbp:outbox:one", default));
        Assert.Equal([a.Id, b.Id], (await _store.WaitingAsync("one", 10, default)).Select(message => message.Id));
        Assert.Equal(a.Id, Assert.Single(await _store.WaitingAsync("one", 1, default)).Id);
        Assert.Equal("2", Assert.Single(await _store.WaitingAsync("two", 10, default)).Body.Text());

        // Made again: it is there already.
        Assert.True(await _store.AdvanceAsync("mbp:outbox:one", 8, 9, [new(7, b)], default));
        await _store.DeleteAsync(a.Id, default);
        Assert.Equal(b.Id, Assert.Single(await _store.WaitingAsync("one", 10, default)).Id);
    }

    [Fact]
    public async Task A_command_made_of_a_message_takes_effect_once_though_the_process_dies_before_the_delete()
    {
        await using var ledger = new PostgresEventStore(database.Connections);
        var store = new Watched(_store);
        await using var stage = new Stage(ledger, store);
        await stage.ReadyAsync();
        await OutboxCommand.CheckAsync(stage, crash => store.BeforeDelete = crash);
        // And by a reaction, on the same ledger.
        stage.Run(stage.Runner(Stage.Copy("b", "c")).RunAsync);
        await stage.UntilAsync(() => store.Reactions == 1);
        Assert.Equal([5, 6], await stage.CountedAsync("c"));
    }

    private static OutboxMessage Message(string destination, char digit) => new(Guid.Parse(new string(digit, 32)), destination, new byte[] { (byte)digit });

    private sealed class Watched(ISubscriptionStore inner) : ISubscriptionStore
    {
        private int _reactions;

        public Action BeforeDelete { get; set; } = () => { };

        public int Reactions => Volatile.Read(ref _reactions);

        public Task<long?> FindAsync(string cursor, CancellationToken cancellationToken) => inner.FindAsync(cursor, cancellationToken);

        public Task CreateAsync(string cursor, long position, CancellationToken cancellationToken) => inner.CreateAsync(cursor, position, cancellationToken);

        public async Task<bool> AdvanceAsync(string cursor, long from, long to, IReadOnlyList<PlacedMessage> messages, CancellationToken cancellationToken)
        {
            var isOurs = await inner.AdvanceAsync(cursor, from, to, messages, cancellationToken);
            Interlocked.CompareExchange(ref _reactions, cursor.StartsWith("mbp:reaction:", StringComparison.Ordinal) ? 1 : 0, 0);
            return isOurs;
        }

        public Task<IReadOnlyList<OutboxMessage>> WaitingAsync(string destination, int most, CancellationToken cancellationToken) => inner.WaitingAsync(destination, most, cancellationToken);

        public Task DeleteAsync(Guid message, CancellationToken cancellationToken)
        {
            BeforeDelete();
            return inner.DeleteAsync(message, cancellationToken);
        }
    }
}
