using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Mbp.Domain.Payments;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Host.Payments;

/// <summary>A withdrawal that has no end yet.</summary>
/// <param name="State">How far it is.</param>
/// <param name="RequestedAt">Since when it is on its way.</param>
public sealed record OpenPayout(Withdrawal State, Instant RequestedAt)
{
    /// <summary>Whether more than time is needed: nothing is sent any more, or the rail tells something else than the ledger.</summary>
    [JsonIgnore]
    public bool NeedsPeople => State is Withdrawal.Waiting w && (w.Attempt > WithdrawalDecider.MaxSends || w.Reason is PayoutDelay.AmountDiffers or PayoutDelay.AccountFull)
                               || State is Withdrawal.Submitted { NotAfter: null };
}

/// <summary>Credits on their way out: what has an end is only a part of a sum here, and a row of <c>mbp_withdrawals</c>.</summary>
/// <param name="OnTheWayUnits">Neither arrived nor come back.</param>
/// <param name="PaidOutUnits">Arrived, and not come back.</param>
/// <param name="Open">By the withdrawal's id.</param>
/// <param name="Due">Attempts by the time that they are due at.</param>
public sealed record PayoutView(
    Int128 OnTheWayUnits, Int128 PaidOutUnits, ImmutableSortedDictionary<string, OpenPayout> Open, ImmutableSortedSet<(Instant At, string Withdrawal)> Due)
{
    public static PayoutView Empty { get; } = new(0, 0, ImmutableSortedDictionary.Create<string, OpenPayout>(StringComparer.Ordinal), []);

    /// <summary>From what a checkpoint keeps.</summary>
    public static PayoutView Of(Int128 onTheWay, Int128 paidOut, IEnumerable<KeyValuePair<string, OpenPayout>> open)
    {
        var all = Empty.Open.AddRange(open);
        return new PayoutView(onTheWay, paidOut, all, [.. all.Where(one => one.Value.State is Withdrawal.Waiting).Select(one => (((Withdrawal.Waiting)one.Value.State).NextAt, one.Key))]);
    }

    public PayoutView Apply(Recorded recorded)
    {
        ArgumentNullException.ThrowIfNull(recorded);
        // What is settled is no longer kept one by one; it can only come back, and the event says how much.
        if (recorded.Data is PayoutReversed back && !Open.ContainsKey(recorded.Stream.Key))
        {
            return this with { PaidOutUnits = PaidOutUnits - back.Amount.Units };
        }

        var id = recorded.Stream.Key;
        var before = Open.GetValueOrDefault(id);
        var was = before?.State ?? Withdrawal.Initial;
        var now = Withdrawal.Fold.Apply(was, recorded.Data);
        var due = was is Withdrawal.Waiting waited ? Due.Remove((waited.NextAt, id)) : Due;
        return new PayoutView(
            OnTheWayUnits + now.OnTheWayUnits - was.OnTheWayUnits,
            PaidOutUnits + now.PaidUnits - was.PaidUnits,
            now.OnTheWayUnits > 0 ? Open.SetItem(id, new OpenPayout(now, before?.RequestedAt ?? recorded.At)) : Open.Remove(id),
            now is Withdrawal.Waiting waits ? due.Add((waits.NextAt, id)) : due);
    }
}
