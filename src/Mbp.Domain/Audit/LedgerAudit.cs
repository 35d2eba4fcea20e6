using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.InteropServices;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Payments;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Audit;

/// <summary>
/// Goes through a ledger from its first event, command by command: folds everything again, asks every decider again, and holds each invariant
/// to every position. It trusts nothing but the events.
/// </summary>
/// <param name="partial">
/// Only some streams are gone through, each from its first event: the positions between are others', and so is part of the cash that moves.
/// </param>
public sealed class LedgerAudit(bool partial = false)
{
    private static readonly ConcurrentDictionary<Type, PropertyInfo?> TimeOf = new();

    private readonly Dictionary<StreamId, AuditedStream> _streams = [];
    private readonly List<AuditedStream> _written = [];
    private readonly Dictionary<string, Running> _running = new(StringComparer.Ordinal);
    private readonly Dictionary<string, CapCounts> _caps = new(StringComparer.Ordinal);

    // Sums over the whole ledger outgrow one value's range.
    private Int128 _granted;
    private Int128 _inAccounts;
    private Int128 _inMarkets;
    private Int128 _onTheWay;
    private Int128 _paidOut;
    private Int128 _difference;
    private Instant _lastAt = Instant.MinValue;

    public AuditStates States { get; } = new();

    public AuditReport Report { get; } = new();

    /// <summary>The last position that was gone through.</summary>
    public long Position { get; private set; }

    public long Commands { get; private set; }

    public long Redecided { get; private set; }

    /// <summary>Told of every command that was decided again: its events, and what the decider said.</summary>
    public Action<IReadOnlyList<Recorded>, Decision<StreamEvent>>? OnRedecided { get; init; }

    /// <summary>CE$ granted, in units.</summary>
    public Int128 GrantedUnits => _granted;

    /// <summary>CE$ in accounts, in units.</summary>
    public Int128 AccountUnits => _inAccounts;

    /// <summary>CE$ in markets, in units: complete sets and fees of the unsettled, dust of the settled.</summary>
    public Int128 MarketUnits => _inMarkets;

    /// <summary>CE$ that left accounts and have neither arrived nor come back, in units.</summary>
    public Int128 OnTheWayUnits => _onTheWay;

    /// <summary>CE$ that were paid out by a rail and did not come back, in units.</summary>
    public Int128 PaidOutUnits => _paidOut;

    /// <summary>Goes through one command's events, all of them and in order.</summary>
    public void Observe(IReadOnlyList<Recorded> command)
    {
        ArgumentNullException.ThrowIfNull(command);
        Commands++;
        _written.Clear();
        foreach (var recorded in command)
        {
            var stream = StreamOf(recorded.Stream);
            _written.Add(stream);
            CheckOrder(stream, recorded);
        }

        // A decider that cannot even be asked is a fault like any other; what was written is folded, and checked, all the same.
        var last = command[^1].Position;
        Guarded(last, command, static (audit, position, command) => audit.CheckDecision(command, position));
        Guarded(last, command, static (audit, _, command) => audit.Fold(command));

        Position = last;
        if (partial)
        {
            return;
        }

        // One missing credit stays missing at every later position; it is a fault where it went missing.
        var difference = _inAccounts + _inMarkets + _onTheWay + _paidOut - _granted;
        Report.Record(
            Check.Conservation, difference == _difference, last, $"{difference - _difference} units too many in accounts, markets and payouts since here (granted {_granted})");
        _difference = difference;
    }

    /// <summary>Goes over a position that no event is at, which only the public log can vouch for (a void entry).</summary>
    public void Skip(long position)
    {
        Report.Record(Check.Order, position == Position + 1, position, $"void position {position} after {Position}");
        Position = position;
    }

    private void Guarded(long position, IReadOnlyList<Recorded> command, Action<LedgerAudit, long, IReadOnlyList<Recorded>> step)
    {
        try
        {
            step(this, position, command);
        }
        catch (OverflowException e)
        {
            Report.Fail(Check.NoOverflow, position, $"The command does not fold: {e.Message}");
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or KeyNotFoundException)
        {
            // What does not fold cannot be followed any further in this stream; the other streams can.
            Report.Fail(Check.Decision, position, $"The command does not fold: {e.Message}");
        }
    }

    private AuditedStream StreamOf(StreamId id)
    {
        ref var stream = ref CollectionsMarshal.GetValueRefOrAddDefault(_streams, id, out _);
        return stream ??= new AuditedStream(id);
    }

    private void CheckOrder(AuditedStream stream, Recorded recorded)
    {
        var version = stream.Version + 1;
        var previous = Position;
        Position = recorded.Position;
        Report.Record(
            Check.Order, (partial ? recorded.Position > previous : recorded.Position == previous + 1) && recorded.Version == version && recorded.At >= _lastAt && recorded.At == TimeIn(recorded.Data), recorded.Position,
            $"{recorded.Stream}: position {recorded.Position} after {previous}, version {recorded.Version} where {version} is due, at {recorded.At} after {_lastAt}, with {TimeIn(recorded.Data)} inside");
        stream.Version = recorded.Version;
        _lastAt = Instant.Max(_lastAt, recorded.At);
    }

    /// <summary>What the store says of the ledger's end, where that is known beside the events: a cut-off tail leaves no gap.</summary>
    /// <param name="head">The head that the ledger claims.</param>
    /// <param name="versions">The version that each stream claims.</param>
    public void CheckEnd(long head, IEnumerable<(StreamId Stream, long Version)> versions)
    {
        ArgumentNullException.ThrowIfNull(versions);
        Report.Record(Check.Order, head == Position, Position, $"the ledger claims {head} events, the last one found is {Position}");
        foreach (var (stream, version) in versions)
        {
            var found = _streams.GetValueOrDefault(stream)?.Version ?? 0;
            Report.Record(Check.Order, version == found, Position, $"{stream} claims version {version}, {found} is the last one found");
        }
    }

    // Every event says when it happened; the row's column must say the same.
    private static Instant? TimeIn(object @event) => @event switch
    {
        // Nearly all events; the others are asked by name.
        PoolEvent e => e.At,
        AccountDebited e => e.At,
        AccountCredited e => e.At,
        TwapRecomputed e => e.At,
        _ => TimeByName(@event),
    };

    private static Instant? TimeByName(object @event) =>
        TimeOf.GetOrAdd(@event.GetType(), static type => type.GetProperty("At") is { } at && at.PropertyType == typeof(Instant) ? at : null)?.GetValue(@event) as Instant?;

    private void CheckDecision(IReadOnlyList<Recorded> command, long position)
    {
        if (Redecision.Of(command, _written, States) is not { } decision)
        {
            return;
        }

        Redecided++;
        OnRedecided?.Invoke(command, decision);
        var stored = command[0].Stored.Header("policy_hash");
        // Before rule sets were data, no decision said its rules.
        if (stored is not null || decision.PolicyHash is not null && States.HasRulesets)
        {
            Report.Record(Check.PolicyHash, stored == decision.PolicyHash, position, $"decided under {stored ?? "no rule set"}, in force was {decision.PolicyHash ?? "none"}");
        }

        var same = decision.Rejection is null && decision.Events.Length == command.Count;
        for (var i = 0; same && i < command.Count; i++)
        {
            same = decision.Events[i].Stream == command[i].Stream && decision.Events[i].Event.Equals(command[i].Data);
        }

        Report.Record(Check.Decision, same, position, same ? "" : Difference(decision, command));
    }

    private static string Difference(Decision<StreamEvent> decision, IReadOnlyList<Recorded> command)
    {
        if (decision.Rejection is { } rejection)
        {
            return $"the ledger has {command[^1].Stored.Type}, the decider refuses: {rejection.Code}";
        }

        for (var i = 0; i < Math.Max(decision.Events.Length, command.Count); i++)
        {
            var (asked, stored) = (i < decision.Events.Length ? decision.Events[i].Event : null, i < command.Count ? command[i].Data : null);
            if (!Equals(asked, stored))
            {
                return $"the decider says {asked}, the ledger has {stored}";
            }
        }

        return "the events are in other streams";
    }

    private void Fold(IReadOnlyList<Recorded> command)
    {
        for (var i = 0; i < command.Count; i++)
        {
            var (recorded, stream) = (command[i], _written[i]);
            switch (stream.Category)
            {
                case "account":
                    FoldAccount(stream, recorded);
                    break;
                case "withdrawal":
                    FoldWithdrawal(stream, recorded, command);
                    break;
                case "market" or "resolution":
                    FoldMarket(stream, recorded);
                    break;
                default:
                    States.Apply(stream.Category, stream.Key, recorded.Data);
                    break;
            }

            Report.Record(Check.NoOverflow, true, recorded.Position, "");
        }
    }

    private void FoldAccount(AuditedStream stream, Recorded recorded)
    {
        var account = new AccountId(stream.Key);
        var before = States.BalanceUnits(account);
        if (recorded.Data is AccountDebited debit)
        {
            Report.Record(Check.NoNegative, before >= debit.Amount.Units, recorded.Position, $"{account} pays {debit.Amount} of {WideDecimal.Format(before)}");
        }
        else if (recorded.Data is CreditsWithdrawn withdrawn)
        {
            Report.Record(Check.NoNegative, before >= withdrawn.Amount.Units, recorded.Position, $"{account} withdraws {withdrawn.Amount} of {WideDecimal.Format(before)}");
        }

        States.Apply(stream.Category, stream.Key, recorded.Data);
        _inAccounts += States.BalanceUnits(account) - before;
        _granted += recorded.Data is CreditsGranted grant ? grant.Amount.Units : 0;
    }

    private void FoldWithdrawal(AuditedStream stream, Recorded recorded, IReadOnlyList<Recorded> command)
    {
        var before = States.Withdrawal(stream.Key);
        if (recorded.Data is WithdrawalRequested or PayoutSettled or PayoutFailed or PayoutReversed)
        {
            Report.Record(Check.OnePayout, IsInTurn(before, (WithdrawalEvent)recorded.Data, command), recorded.Position, $"{recorded.Stream}: {recorded.Stored.Type} after {before.GetType().Name}");
        }

        States.Apply(stream.Category, stream.Key, recorded.Data);
        var after = States.Withdrawal(stream.Key);
        _onTheWay += after.OnTheWayUnits - before.OnTheWayUnits;
        _paidOut += after.PaidUnits - before.PaidUnits;
    }

    /// <summary>One end for each withdrawal; and credits leave or come back beside it, to the unit, exactly when it says so.</summary>
    private static bool IsInTurn(Withdrawal before, WithdrawalEvent @event, IReadOnlyList<Recorded> command)
    {
        var stream = before.Asked?.Account.Stream;
        return @event switch
        {
            WithdrawalRequested e => before is Withdrawal.Unknown
                && command.Any(r => r.Stream == e.Account.Stream && r.Data is CreditsWithdrawn left && left.Amount == e.Amount && left.Withdrawal == e.Withdrawal.Value),
            PayoutSettled => before is Withdrawal.Submitted or Withdrawal.Waiting,
            PayoutFailed => before is Withdrawal.Submitted or Withdrawal.Waiting && IsBack(),
            PayoutReversed => before is Withdrawal.Settled && IsBack(),
            _ => true,
        };

        bool IsBack() => command.Count(r => r.Stream == stream && r.Data is CreditsReturned back && back.Amount == before.Asked!.Amount && back.Withdrawal == before.Asked.Withdrawal.Value) == 1;
    }

    private void FoldMarket(AuditedStream stream, Recorded recorded)
    {
        var id = new MarketId(stream.Key);
        var before = States.Market(id);
        var (market, pool, held) = (before.Market, before.Pool, before.HeldUnits);
        CheckBefore(id, before, recorded);
        States.Apply(stream.Category, stream.Key, recorded.Data);
        var after = States.Market(id);
        _inMarkets += after.HeldUnits - held;
        if (recorded.Data is PoolEvent change)
        {
            CheckPool(id, pool, after.Pool, change, recorded.Position);
            CheckCaps(id, market, pool, after.Pool, change, recorded.Position);
        }
    }

    /// <summary>What an event must not follow, whatever the folds think of it.</summary>
    private void CheckBefore(MarketId id, MarketStates before, Recorded recorded)
    {
        var position = recorded.Position;
        switch (recorded.Data)
        {
            case LiquidityRemoved e:
                Report.Record(
                    Check.NoNegative, before.Pool.HolderOf(e.Account).LpShares >= e.LpShares, position, $"{e.Account} withdraws more LP shares of {id} than it has");
                break;
            case TradeExecuted e:
                Report.Record(
                    Check.NoNegative,
                    e.Side == TradeSide.Buy || before.Pool.HolderOf(e.Account).Shares[before.Pool.IndexOf(e.Outcome)] >= e.Shares, position,
                    $"{e.Account} sells more {e.Outcome} of {id} than it has");
                Report.Record(Check.NoLateTrade, MarketDecider.WhyNoTrade(before.Market, e.At) is null, position, $"a trade on {id}, which did not trade then");
                break;
            case ResolutionDetermined e:
                Report.Record(
                    Check.ResolutionEvidence, e.EvidenceUri.Length > 0 && e.DecidedBy.Count > 0 && recorded.Stored.CorrelationId.Length > 0, position,
                    $"{id} is determined without a source, evidence or trace");
                break;
            case ResolutionFinished or MarketVoided:
                Report.Record(
                    Check.OneResolution, !before.Resolution.IsFinal, position, $"{id} is final twice");
                break;
            case SettlementPlanned e:
                var plan = States.PlanOf(id);
                Report.Record(
                    Check.SettlementPlan, plan.Root.ToString() == e.Root && plan.Dust == e.Dust && plan.FeeDust == e.FeeDust, position,
                    $"the plan of {id} has root {plan.Root}, the ledger says {e.Root}");
                break;
            case PayoutRecorded:
                Report.Record(Check.NoEarlyPayout, SettlementDecider.FinalVector(before.Resolution) is not null, position, $"{id} pays before its value is final");
                break;
            case MarketSettled e when before.Settlement is MarketSettlement.Paying paying:
                Report.Record(
                    Check.SettledInFull,
                    paying.Paid == e.Paid && paying.Done == paying.Plan.Payouts
                    && e.Locked.Units + e.Fees.Units == e.Paid.Units + e.Dust.Units + e.FeeDust.Units,
                    position, $"{id}: paid {paying.Paid} in {paying.Done} payouts, planned {paying.Plan.Total} in {paying.Plan.Payouts}");
                break;
            case SettlementCorrected or PayoutCorrected or SettlementCorrectionDone:
                CheckCorrection(id, before, recorded.Data, position);
                break;
        }
    }

    private void CheckCorrection(MarketId id, MarketStates before, object @event, long position)
    {
        var settled = before.Settlement as MarketSettlement.Settled;
        switch (@event)
        {
            case SettlementCorrected e:
                var plan = States.CorrectionOf(id);
                Report.Record(
                    Check.CorrectionPlan,
                    plan.After.RootText == e.Root && (plan.Lines.Count, plan.Back, plan.More) == (e.Accounts, e.Back, e.More)
                    && (plan.After.Total, plan.After.Dust, plan.After.FeeDust) == (e.Total, e.Dust, e.FeeDust),
                    position, $"the corrected plan of {id} has root {plan.After.RootText} and {plan.Lines.Count} differences, the ledger says {e.Root} and {e.Accounts}");
                Report.Record(
                    Check.CorrectionByTwo,
                    e.By is [var proposer, var approver] && proposer != approver && !before.Pool.IsHeldBy(proposer) && !before.Pool.IsHeldBy(approver)
                    && settled?.Corrections?.Step is CorrectionStep.Proposed { Proposal: var proposal } && (proposal.By, proposal.Vector) == (proposer, e.Vector) && e.EvidenceUri.Length > 0,
                    position, $"the correction of {id} by {e.By} has not two people without a position behind it, or no evidence, or was not proposed");
                break;
            case PayoutCorrected e:
                // The account's own event came before this one: what it has now is what it kept.
                var (difference, kept) = (e.Due.Units - e.Before.Units, States.BalanceUnits(e.Account));
                Report.Record(
                    Check.CorrectionShortfall,
                    Math.Abs(difference) == e.Moved.Units + e.Insured.Units
                    && (difference < 0 ? e.Insured == Credits.Zero || kept == 0 : e.Insured <= (settled?.Corrections?.InsuredFor(e.Account) ?? Credits.Zero)),
                    position, $"{e.Account} has {WideDecimal.Format(kept)} left; of {WideDecimal.Format(difference)} it has its part in {e.Moved}, insurance in {e.Insured}");
                break;
            case SettlementCorrectionDone e when settled?.Posting is { } posting:
                Report.Record(
                    Check.CorrectedInFull,
                    posting.Posted == posting.Plan.Accounts && (posting.Back, posting.More) == (posting.Plan.Back, posting.Plan.More)
                    && e.Paid == posting.Plan.Total && settled.HeldUnits == e.Dust.Units + e.FeeDust.Units,
                    position, $"{id}: {posting.Posted} differences of {posting.Plan.Accounts} are posted, {WideDecimal.Format(settled.HeldUnits)} are left of which {e.Dust} and {e.FeeDust} are dust");
                break;
        }
    }

    /// <summary>Counts the caps by itself, without asking the rules or the folds that the decision asked.</summary>
    private void CheckCaps(MarketId id, Market market, Pool before, Pool after, PoolEvent change, long position)
    {
        if (!_caps.TryGetValue(id.Value, out var counts))
        {
            _caps[id.Value] = counts = new CapCounts();
        }

        var count = counts.Take(change);
        if (market.Terms() is not { } terms || market.Policy()?.Rules is not { } rules || rules.CapsOf(terms.Kind) is not { } caps)
        {
            return;
        }

        var liquidity = caps.CountsLiquidity == true;
        if (change is not TradeExecuted && !liquidity)
        {
            return;
        }

        // The opening is the market's, which has no rate, and whose shares are counted once others are bought.
        var (opens, adds, buys) = (!before.IsOpen, change is LiquidityAdded, change is TradeExecuted { Side: TradeSide.Buy });
        var exposure = count.Traded + (liquidity ? count.FromLiquidity : 0);
        var recent = count.Trades + (liquidity ? count.Changes : 0);
        var limit = market.HaltLevel() == HaltLevel.Soft || States.Slo.Slows(rules) ? Math.Max(1, caps.MaxTradesPerMinute / 2 ?? 0) : caps.MaxTradesPerMinute;
        var holds = !((buys || (adds && !opens && count.Added > 0)) && exposure > caps.MaxExposurePerUser?.Units)
            && !((buys || (adds && (opens || after.OpenInterest > before.OpenInterest))) && after.OpenInterest > caps.MaxOpenInterest)
            && !(!opens && caps.MaxTradesPerMinute is not null && recent > limit);
        Report.Record(
            Check.RiskCaps, holds, position,
            $"{id}: {change.Account} has {exposure} units at stake, the market {after.OpenInterest.Units} of open interest, and this is the account's trade or change {recent} in a minute");
    }

    /// <summary>Keeps running sums, so that a market with many holders costs no more at each trade than one with few.</summary>
    private void CheckPool(MarketId id, Pool before, Pool after, PoolEvent change, long position)
    {
        if (!_running.TryGetValue(id.Value, out var sums))
        {
            _running[id.Value] = sums = new Running(new Int128[after.Outcomes.Count]);
        }

        var (was, now) = (before.HolderOf(change.Account), after.HolderOf(change.Account));
        sums.LpShares += now.LpShares.Units - was.LpShares.Units;
        var complete = true;
        for (var o = 0; o < sums.Holdings.Length; o++)
        {
            sums.Holdings[o] += now.Shares[o].Units - was.Shares[o].Units;
            complete &= sums.Holdings[o] + after.Reserves[o].Units == after.Locked.Units;
        }

        Report.Record(Check.CompleteSets, complete, position, $"{id}: reserves and holdings do not add up to {after.Locked} complete sets");
        Report.Record(Check.LiquidityShares, sums.LpShares == after.LpSupply.Units, position, $"{id}: LP shares add up to {sums.LpShares}, supply {after.LpSupply.Units}");
        Report.Record(Check.Prices, Cpmm.Prices(after.Reserves.AsSpan()) == after.Prices, position, $"{id}: quoted {after.Prices}");
        if (change is TradeExecuted)
        {
            Report.Record(
                Check.PoolInvariant, !Invariant.IsBreached(before.Reserves.AsSpan(), after.Reserves.AsSpan()), position,
                $"{id}: the product moved by {Invariant.ErrorE12(before.Reserves.AsSpan(), after.Reserves.AsSpan())}e-12");
        }
    }

    private sealed record Running(Int128[] Holdings)
    {
        public Int128 LpShares { get; set; }
    }
}

/// <summary>A stream as the audit meets it again and again: its name taken apart once, and the version it has reached.</summary>
internal sealed class AuditedStream(StreamId id)
{
    public string Category { get; } = id.Category;

    public string Key { get; } = id.Key;

    public long Version { get; set; }
}
