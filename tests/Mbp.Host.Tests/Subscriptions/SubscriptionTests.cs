using System.Collections.Concurrent;
using System.Text;
using Mbp.Domain.Accounts;
using Mbp.Host.Subscriptions;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger;
using Mbp.Ledger.Reacting;
using Mbp.Ledger.Writing;

namespace Mbp.Host.Tests.Subscriptions;

/// <summary>Reactions and the outbox in the running host: what an operator sees of them.</summary>
public sealed class SubscriptionTests(HostFixture host) : IClassFixture<HostFixture>
{
    [Fact]
    public async Task They_follow_the_ledger_and_one_that_stops_says_so_everywhere()
    {
        var (seen, inbox) = (new ConcurrentQueue<string>(), new Inbox());
        await host.RestartAsync(host.Options with
        {
            Subscriptions = new SubscriptionSet
            {
                Reactions =
                [
                    new Reaction("fragile", e => e.Data is AccountOpened ? throw new FormatException("no such thing") : null),
                    new Reaction("robust", e => e.Data is AccountOpened opened ? Operation.On([], (_, _) => Seen(opened.Account.ToString())) : null),
                ],
                Rules = [new OutboxRule("tell", e => e.Data is AccountOpened ? new OutboxContent("inbox", Encoding.UTF8.GetBytes(e.Stream.Key)) : null)],
                Destinations = [_ => inbox],
            },
        });
        // A new one begins at the head: they must have looked where that is.
        await UntilAsync("""reaction_up{reaction="robust"} 1""", """reaction_up{reaction="fragile"} 1""");
        await UntilAsync(async () => await Mbp.Testing.PostgresFixture.RowsAsync(
            host.Superuser, "SELECT name FROM mt_event_progression WHERE name ~ '^mbp:(reaction|outbox):' AND name !~ 'payouts'") is { Count: 3 });
        await host.Api.AccountAsync("reacted-to", "5");
        await UntilAsync("""reaction_up{reaction="robust"} 1""", """reaction_up{reaction="fragile"} 0""", """outbox_up{outbox="tell"} 1""", """outbox_failures{destination="inbox"} 0""");
        await UntilAsync(() => Task.FromResult(!seen.IsEmpty && !inbox.Received.IsEmpty));
        Assert.Equal(["reacted-to"], seen);
        Assert.Equal(["reacted-to"], inbox.Received);
        Assert.Contains("The reaction 'fragile' stopped at account_opened", (await host.Api.GetAsync("/status")).Ok().Text.Replace("\\u0027", "'", StringComparison.Ordinal), StringComparison.Ordinal);

        Decision<StreamEvent> Seen(string account)
        {
            seen.Enqueue(account);
            return [];
        }
    }

    private Task UntilAsync(params string[] metrics) => UntilAsync(async () =>
    {
        var page = (await host.Api.GetAsync("/metrics")).Text;
        return metrics.All(metric => page.Contains(metric, StringComparison.Ordinal));
    });

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(30); !await condition(); await Task.Delay(20))
        {
            Assert.True(DateTimeOffset.UtcNow < until, "It did not come to that.");
        }
    }

    private sealed class Inbox : IOutboxDestination
    {
        public ConcurrentQueue<string> Received { get; } = new();

        public string Name => "inbox";

        public Task SendAsync(OutboxMessage message, CancellationToken cancellationToken)
        {
            Received.Enqueue(Encoding.UTF8.GetString(message.Body.Span));
            return Task.CompletedTask;
        }
    }
}
