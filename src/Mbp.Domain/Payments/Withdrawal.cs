using System.Text.Json.Serialization;
using Mbp.Domain.Accounts;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Payments;

/// <summary>What was asked for; it never changes.</summary>
public sealed record WithdrawalOrder(WithdrawalId Withdrawal, AccountId Account, Credits Amount, PayeeId Payee);

/// <summary>How far a withdrawal is.</summary>
[JsonDerivedType(typeof(Unknown), "unknown")]
[JsonDerivedType(typeof(Requested), "requested")]
[JsonDerivedType(typeof(Submitted), "submitted")]
[JsonDerivedType(typeof(Waiting), "waiting")]
[JsonDerivedType(typeof(Settled), "settled")]
[JsonDerivedType(typeof(Failed), "failed")]
[JsonDerivedType(typeof(Reversed), "reversed")]
public abstract record Withdrawal
{
    private Withdrawal()
    {
    }

    public static Withdrawal Initial { get; } = new Unknown();

    public static readonly Fold<Withdrawal> Fold = new(
        "withdrawal", 1, Initial, (withdrawal, @event) => @event is WithdrawalEvent e ? Evolve(withdrawal, e) : withdrawal, snapshotEvery: 100);

    /// <summary>What was asked for; null where nothing was.</summary>
    [JsonIgnore]
    public WithdrawalOrder? Asked => this switch
    {
        Requested w => w.Order,
        Submitted w => w.Order,
        Waiting w => w.Order,
        Settled w => w.Order,
        Failed w => w.Order,
        Reversed w => w.Order,
        _ => null,
    };

    /// <summary>CE$ that left the account and have neither arrived nor come back, in units.</summary>
    [JsonIgnore]
    public long OnTheWayUnits => this is Requested or Submitted or Waiting ? Asked!.Amount.Units : 0;

    /// <summary>CE$ that arrived and did not come back, in units.</summary>
    [JsonIgnore]
    public long PaidUnits => this is Settled ? Asked!.Amount.Units : 0;

    public sealed record Unknown : Withdrawal;

    public sealed record Requested(WithdrawalOrder Order) : Withdrawal;

    /// <summary>An attempt is under way.</summary>
    /// <param name="Order">What was asked for.</param>
    /// <param name="Attempt">Its number.</param>
    /// <param name="NotAfter">The rail may carry the order out until then; null = this attempt only asks.</param>
    /// <param name="LastNotAfter">The latest such deadline that the rail was ever given.</param>
    public sealed record Submitted(WithdrawalOrder Order, int Attempt, Instant? NotAfter, Instant LastNotAfter) : Withdrawal;

    /// <summary>The last attempt brought no end; the next one is due at <paramref name="NextAt"/>.</summary>
    public sealed record Waiting(WithdrawalOrder Order, int Attempt, PayoutDelay Reason, Instant NextAt, Instant LastNotAfter) : Withdrawal;

    public sealed record Settled(WithdrawalOrder Order, string RailReference) : Withdrawal;

    public sealed record Failed(WithdrawalOrder Order, string Code) : Withdrawal;

    public sealed record Reversed(WithdrawalOrder Order, string RailReference) : Withdrawal;

    public static Withdrawal Evolve(Withdrawal withdrawal, WithdrawalEvent @event) => (withdrawal, @event) switch
    {
        (Unknown, WithdrawalRequested e) => new Requested(new WithdrawalOrder(e.Withdrawal, e.Account, e.Amount, e.Payee)),
        (Requested w, PayoutSubmitted { Attempt: 1, NotAfter: { } until }) => new Submitted(w.Order, 1, until, until),
        (Waiting w, PayoutSubmitted e) when e.Attempt == w.Attempt + 1 => new Submitted(w.Order, e.Attempt, e.NotAfter, e.NotAfter ?? w.LastNotAfter),
        (Submitted w, PayoutDeferred e) when e.Attempt == w.Attempt => new Waiting(w.Order, w.Attempt, e.Reason, e.NextAt, w.LastNotAfter),
        (Submitted or Waiting, PayoutSettled e) when e.Amount == withdrawal.Asked!.Amount => new Settled(withdrawal.Asked, e.RailReference),
        (Submitted or Waiting, PayoutFailed e) => new Failed(withdrawal.Asked!, e.Code),
        (Settled w, PayoutReversed e) when e.Amount == w.Order.Amount && e.RailReference == w.RailReference => new Reversed(w.Order, w.RailReference),
        _ => throw new InvalidOperationException($"{@event.GetType().Name} cannot follow {withdrawal.GetType().Name}."),
    };
}
