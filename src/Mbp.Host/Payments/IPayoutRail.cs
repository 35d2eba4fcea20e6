using Mbp.Domain.Payments;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Host.Payments;

/// <summary>
/// A way out for credits. A rail knows an order by its key for ever: the same key sent again is the same order, and is carried out once. Whatever
/// a call throws, and whoever it keeps waiting, means that nothing is known.
/// </summary>
public interface IPayoutRail
{
    /// <summary>Small letters, digits and hyphens; it is in reports and in the cursor of its notices.</summary>
    string Name { get; }

    /// <summary>Gives the rail an order, or the same order again.</summary>
    /// <returns>How far it is; <see cref="RailAnswer.Unavailable"/> = it took nothing; <see cref="RailAnswer.NotFound"/> = it took nothing, the deadline being over.</returns>
    Task<RailAnswer> SendAsync(PayoutOrder order, CancellationToken cancellationToken);

    /// <summary>How far the order of a key is; <see cref="RailAnswer.NotFound"/> = the rail does not have it.</summary>
    Task<RailAnswer> FindAsync(string key, CancellationToken cancellationToken);

    /// <summary>What the rail says by itself: ends of orders, each at least once, in the order of their numbers.</summary>
    /// <param name="after">The last number that was dealt with; 0 = none.</param>
    /// <param name="most">No more than so many.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task<IReadOnlyList<RailNotice>> NoticesAsync(long after, int most, CancellationToken cancellationToken);

    /// <summary>Every movement from one instant to before another, by the rail's clock.</summary>
    Task<IReadOnlyList<RailLine>> StatementAsync(Instant begin, Instant end, CancellationToken cancellationToken);
}

/// <param name="Key">The idempotency key.</param>
/// <param name="Amount">CE$.</param>
/// <param name="Payee">A pseudonymous reference; whoever runs the rail knows what it stands for.</param>
/// <param name="NotAfter">The rail must not begin to carry it out later than this.</param>
public sealed record PayoutOrder(string Key, Credits Amount, PayeeId Payee, Instant NotAfter);

/// <param name="Number">1, 2, 3, ... at the rail; numbers may be left out.</param>
/// <param name="Key">The order's key.</param>
/// <param name="Answer">Settled, rejected or reversed.</param>
public sealed record RailNotice(long Number, string Key, RailAnswer Answer);

/// <summary>How payouts go about it.</summary>
public sealed record PayoutTerms
{
    /// <summary>An order may be carried out for so long after it was sent. Credits return only after that.</summary>
    public static readonly Duration OrderLife = Duration.FromMinutes(2);

    /// <summary>What separates attempts.</summary>
    public PayoutBackoff Backoff { get; init; } = PayoutBackoff.Default;

    /// <summary>How long one call to the rail may take. Two of them fit into what an outbox lane gives a message.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether the day before is reconciled by the host itself, some time after midnight.</summary>
    public bool ReconcilesDaily { get; init; } = true;

    /// <summary>The seed of the simulated rail's faults; null = it makes none, but for payees that ask for one.</summary>
    public long? FaultSeed { get; init; }

    /// <summary>Another rail than the simulated one. Not on the command line: a test's.</summary>
    public Func<IClock, IPayoutRail>? Rail { get; init; }
}
