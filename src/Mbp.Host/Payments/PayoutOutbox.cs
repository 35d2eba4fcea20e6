using System.Text.Json;
using Mbp.Domain.Payments;
using Mbp.Ledger.Json;
using Mbp.Ledger.Reacting;

namespace Mbp.Host.Payments;

/// <summary>From a withdrawal to the rail (ADR 0010, ADR 0014): a request begins an attempt, an attempt is a message to a lane of the rail.</summary>
internal static class PayoutOutbox
{
    /// <summary>So many orders are under way at once; those of one withdrawal are always in one lane, in their order.</summary>
    public const int Lanes = 4;

    // From the first event on: whoever asked before a host first ran this is not forgotten.
    public static Reaction Begin { get; } = new("payouts", recorded => recorded.Data is WithdrawalRequested e ? Payouts.Submit(e.Withdrawal, e.Account, attempt: 1) : null, After: 0);

    public static OutboxRule Rule { get; } = new(
        "payouts",
        recorded => recorded.Data is PayoutSubmitted e
            ? new OutboxContent(LaneOf(recorded.Stream.Key), JsonSerializer.SerializeToUtf8Bytes(new AttemptMessage(recorded.Stream.Key, e.Attempt), LedgerJson.Options))
            : null,
        After: 0);

    public static IReadOnlyList<Func<IServiceProvider, IOutboxDestination>> Destinations { get; } =
        [.. Enumerable.Range(0, Lanes).Select(lane => (Func<IServiceProvider, IOutboxDestination>)(services => new PayoutSender(
            Name(lane), services.GetRequiredService<Payouts>(), services.GetRequiredService<NodaTime.IClock>(), services.GetRequiredService<ILogger<PayoutSender>>())))];

    private static string LaneOf(string key) => Name(key.Aggregate(0, (sum, character) => (sum + character) % Lanes));

    private static string Name(int lane) => $"rail-{lane}";
}

/// <param name="Withdrawal">Which.</param>
/// <param name="Attempt">Which of its attempts.</param>
internal sealed record AttemptMessage(string Withdrawal, int Attempt);
