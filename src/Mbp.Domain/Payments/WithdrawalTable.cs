using Mbp.Ledger;
using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Domain.Payments;

/// <summary>A row of <c>mbp_withdrawals</c>.</summary>
/// <param name="WithdrawalId">Its id.</param>
/// <param name="AccountId">Whose.</param>
/// <param name="Amount">In units.</param>
/// <param name="Payee">The pseudonymous reference.</param>
/// <param name="State"><c>requested</c>, <c>submitted</c>, <c>waiting</c>, <c>settled</c>, <c>failed</c> or <c>reversed</c>.</param>
/// <param name="Attempts">How many began.</param>
/// <param name="RailReference">The rail's id of the payment.</param>
/// <param name="Reason">Why it waits, failed or came back.</param>
/// <param name="RequestedAt">When it was asked for.</param>
/// <param name="FailedFirstAt">When something first went wrong: what the repair time counts from.</param>
/// <param name="NextAt">When the next attempt is due.</param>
/// <param name="PaidAt">When it was paid, by the rail's clock.</param>
/// <param name="ReversedAt">When it came back, by the rail's clock.</param>
/// <param name="EndedAt">When the ledger heard of its end: paid, or back in the account.</param>
/// <param name="Position">Of the request: the order of lists.</param>
public sealed record WithdrawalRow(
    string WithdrawalId,
    string AccountId,
    long Amount,
    string Payee,
    string State,
    long Attempts,
    string? RailReference,
    string? Reason,
    Instant RequestedAt,
    Instant? FailedFirstAt,
    Instant? NextAt,
    Instant? PaidAt,
    Instant? ReversedAt,
    Instant? EndedAt,
    long Position)
{
    /// <summary>Whether the credits are still on their way.</summary>
    public bool IsOpen => EndedAt is null;
}

/// <summary>Every withdrawal, as far as it is.</summary>
public static class WithdrawalTable
{
    public static readonly Table<WithdrawalRow> Table = new Table<WithdrawalRow>("mbp_withdrawals")
        .Text("withdrawal_id", r => r.WithdrawalId)
        .Text("account_id", r => r.AccountId)
        .Amount("amount", r => r.Amount)
        .Text("payee", r => r.Payee)
        .Text("state", r => r.State)
        .Whole("attempts", r => r.Attempts)
        .Text("rail_reference", r => r.RailReference, nullable: true)
        .Text("reason", r => r.Reason, nullable: true)
        .Time("requested_at", r => r.RequestedAt)
        .Time("failed_first_at", r => r.FailedFirstAt, nullable: true)
        .Time("next_at", r => r.NextAt, nullable: true)
        .Time("paid_at", r => r.PaidAt, nullable: true)
        .Time("reversed_at", r => r.ReversedAt, nullable: true)
        .Time("ended_at", r => r.EndedAt, nullable: true)
        .Whole("position", r => r.Position)
        .Key("withdrawal_id")
        .Index("account_id, position")
        .Index("state, position")
        .Found(
            r => new RowKey(r.WithdrawalId),
            read => new WithdrawalRow(
                read.Text(), read.Text(), read.Amount(), read.Text(), read.Text(), read.Whole(), read.TextOrNull(), read.TextOrNull(), read.Time(), read.TimeOrNull(), read.TimeOrNull(),
                read.TimeOrNull(), read.TimeOrNull(), read.TimeOrNull(), read.Whole()));

    public static readonly TableProjection Projection = TableProjection.Keyed(
        "withdrawals", 1, Table,
        recorded => recorded.Data is WithdrawalEvent ? recorded.Stream.Key : null,
        Apply);

    /// <summary>A reason as the API and the tables spell it.</summary>
    public static string Spelled(PayoutDelay reason) => reason switch
    {
        PayoutDelay.Accepted => "accepted",
        PayoutDelay.Unavailable => "unavailable",
        PayoutDelay.Unanswered => "unanswered",
        PayoutDelay.NotTaken => "not_taken",
        PayoutDelay.AmountDiffers => "amount_differs",
        PayoutDelay.AccountFull => "account_full",
        _ => throw new InvalidOperationException($"{reason} has no word."),
    };

    private static WithdrawalRow Apply(WithdrawalRow? row, Recorded recorded) => (row, recorded.Data) switch
    {
        (null, WithdrawalRequested e) => new WithdrawalRow(
            e.Withdrawal.Value, e.Account.Value, e.Amount.Units, e.Payee.Value, "requested", 0, null, null, e.At, null, null, null, null, null, recorded.Position),
        (null, _) => throw new InvalidOperationException($"{recorded.Data.GetType().Name} comes before the withdrawal is requested."),
        (_, PayoutSubmitted e) => row with { State = "submitted", Attempts = e.Attempt, NextAt = null },
        (_, PayoutDeferred e) => row with
        {
            State = "waiting",
            Reason = Spelled(e.Reason),
            NextAt = e.NextAt,
            // A rail that takes its time has not failed.
            FailedFirstAt = row.FailedFirstAt ?? (e.Reason == PayoutDelay.Accepted ? null : e.At),
        },
        (_, PayoutSettled e) => row with { State = "settled", Reason = null, NextAt = null, RailReference = e.RailReference, PaidAt = e.RailAt, EndedAt = e.At },
        (_, PayoutFailed e) => row with { State = "failed", Reason = e.Code, NextAt = null, FailedFirstAt = row.FailedFirstAt ?? e.At, EndedAt = e.At },
        (_, PayoutReversed e) => row with
        {
            State = "reversed",
            Reason = e.Code,
            ReversedAt = e.RailAt,
            // The rail's clock may be ahead of ours.
            FailedFirstAt = row.FailedFirstAt ?? Instant.Min(e.RailAt, e.At),
            EndedAt = e.At,
        },
        _ => throw new InvalidOperationException($"A withdrawal is requested once, and {recorded.Data.GetType().Name} is at position {recorded.Position}."),
    };
}
