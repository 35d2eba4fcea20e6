using System.Collections.Concurrent;
using Mbp.Domain.Accounts;
using Mbp.Domain.Settlement;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using Mbp.Ledger.Writing;

namespace Mbp.Host.Settlement;

/// <summary>Plans, pays and corrects the settlements of markets, batch by batch. A batch follows the one before it at once, with traders' commands between them.</summary>
internal sealed class SettlementSteps(LedgerWriter writer, LiveLedger live, MbpOptions options) : IDisposable
{
    /// <summary>Batches under way: while one is being committed, the next is decided.</summary>
    private const int Ahead = 2;

    private readonly PostingTurns _turns = new(Ahead * options.PayoutsPerCommit);
    private readonly ConcurrentDictionary<string, SettlementPlan> _plans = new(StringComparer.Ordinal);
    // A plan over a hundred thousand accounts keeps a core busy for a second: one at a time.
    private readonly SemaphoreSlim _computing = new(1);

    // Up to three events each, and the account's state is read.
    private int CorrectionsPerCommit => Math.Max(1, options.PayoutsPerCommit / 2);

    public void Dispose() => _computing.Dispose();

    /// <summary>Lets go of what was computed for markets that another process goes on with.</summary>
    public void Forget() => _plans.Clear();

    /// <summary>Fixes what is to be paid. The market's pool no longer changes, so it is computed here, and not where trades wait for it.</summary>
    public async Task<CommandOutcome> PlanAsync(MarketView view, CommandContext context, CancellationToken cancellationToken)
    {
        var market = view.Terms!.MarketId;
        var vector = SettlementDecider.FinalVector(view.Resolution) ?? throw new InvalidOperationException($"{market} has no final value.");
        var plan = await PlanOfAsync(view, vector, cancellationToken).ConfigureAwait(false);
        return await writer.SubmitAsync(SettlementOperation.Plan(market, plan), context, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Pays all who are not paid yet.</summary>
    /// <returns>What became of the last batch.</returns>
    public async Task<CommandOutcome> PayOutAsync(MarketView view, MarketSettlement.Paying paying, CommandContext context, CancellationToken cancellationToken)
    {
        var market = view.Terms!.MarketId;
        var plan = await PlanOfAsync(view, paying.Plan.Vector, cancellationToken).ConfigureAwait(false);
        var underWay = new Queue<Task<CommandOutcome>>();
        try
        {
            // A market that owes nobody anything has one batch, without payouts.
            for (var next = paying.Done; ;)
            {
                for (var first = next == paying.Done; underWay.Count < Ahead && (first || next < plan.Payable.Count); first = false)
                {
                    var some = Payable(plan, next);
                    await _turns.EnterAsync(some, cancellationToken).ConfigureAwait(false);
                    underWay.Enqueue(SubmitAsync(SettlementOperation.Pay(market, plan, next, some), some, context, cancellationToken));
                    next += some;
                }

                var outcome = await underWay.Dequeue().ConfigureAwait(false);
                if (outcome.Find<MarketSettled>() is not null)
                {
                    _plans.TryRemove(market.Value, out _);
                }

                // Nothing made: somebody else is further, or less far. What the ledger says is looked at again.
                if (outcome.Events.Count == 0 || underWay.Count == 0 && next == plan.Payable.Count)
                {
                    return outcome;
                }
            }
        }
        finally
        {
            // They were decided on the one before, and fall or stand with it.
            await ((Task)Task.WhenAll(underWay)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Posts all differences of a correction that are not posted yet.</summary>
    /// <returns>What became of the last batch.</returns>
    public async Task<CommandOutcome> CorrectAsync(MarketView view, CorrectionStep.Posting posting, CommandContext context, CancellationToken cancellationToken)
    {
        var market = view.Terms!.MarketId;
        var before = posting.Before ?? SettlementDecider.FinalVector(view.Resolution) ?? throw new InvalidOperationException($"{market} has no final value.");
        var plan = await CorrectionOfAsync(view, before, posting.Plan.Vector, cancellationToken).ConfigureAwait(false);
        for (var done = posting.Posted; ;)
        {
            var some = Math.Min(CorrectionsPerCommit, plan.Lines.Count - done);
            await _turns.EnterAsync(some, cancellationToken).ConfigureAwait(false);
            var outcome = await SubmitAsync(SettlementOperation.Correct(market, plan, done, some), some, context, cancellationToken).ConfigureAwait(false);
            var made = outcome.Events.Count(e => e.Data is PayoutCorrected);
            if (made == 0 || outcome.Events[^1].Data is SettlementCorrectionDone)
            {
                return outcome;
            }

            done += made;
        }
    }

    /// <summary>What a correction means for each account: two plans, computed where nobody waits for it.</summary>
    public Task<CorrectionPlan> CorrectionOfAsync(MarketView view, EquatableArray<Price> before, EquatableArray<Price> after, CancellationToken cancellationToken) =>
        ComputeAsync(() => CorrectionPlan.From(view.Pool, new PayoutVector(before), new PayoutVector(after)), cancellationToken);

    /// <summary>How much of what debtors owe they have spent, as the live view shows it.</summary>
    public Credits ShortfallOf(CorrectionPlan plan)
    {
        var view = live.Current;
        return plan.ShortfallBy(account => view.Find(account)?.Cash ?? Credits.Zero);
    }

    /// <summary>How many of the next payouts go into one batch.</summary>
    /// <exception cref="InvalidOperationException">The next account's balance would outgrow the ledger's range; the market waits until it does not.</exception>
    private int Payable(SettlementPlan plan, int done)
    {
        // The decision looks at no account. One that moved since this view is in the writer's memory, and there the fold refuses what this does not see.
        var view = live.Current;
        var some = 0;
        for (; some < options.PayoutsPerCommit && done + some < plan.Payable.Count; some++)
        {
            var line = plan.Payable[done + some];
            if (view.Find(line.Account) is Account.Open open && !Decimal8.Fits(open.Balance.Units, line.Total().Units))
            {
                return some > 0 ? some : throw new InvalidOperationException($"{line.Account} is owed {line.Total()} and holds {open.Balance}: the ledger cannot hold the sum.");
            }
        }

        return some;
    }

    /// <summary>Has the writer take a batch, for which there is room; the room is free again when it is durable.</summary>
    private async Task<CommandOutcome> SubmitAsync(Operation operation, int postings, CommandContext context, CancellationToken cancellationToken)
    {
        try
        {
            return await writer.SubmitAsync(operation, context, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turns.Leave(postings);
        }
    }

    private async Task<SettlementPlan> PlanOfAsync(MarketView view, EquatableArray<Price> vector, CancellationToken cancellationToken)
    {
        var id = view.Terms!.MarketId.Value;
        return _plans.TryGetValue(id, out var kept)
            ? kept
            : _plans[id] = await ComputeAsync(() => SettlementPlan.From(view.Pool, new PayoutVector(vector)), cancellationToken).ConfigureAwait(false);
    }

    private async Task<T> ComputeAsync<T>(Func<T> plan, CancellationToken cancellationToken)
    {
        await _computing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await Task.Run(plan, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _computing.Release();
        }
    }
}
