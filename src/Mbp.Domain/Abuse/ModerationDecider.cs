using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Abuse;

public abstract record ModerationCommand(MarketId MarketId, string By, Instant At);

/// <summary>Does something about a market or an account; what touches money is only proposed by it.</summary>
public sealed record Moderate(MarketId MarketId, Measure Measure, string Reason, string By, Instant At) : ModerationCommand(MarketId, By, At);

/// <summary>Takes a case back, or puts it in force again; what touches money is only proposed by it.</summary>
public sealed record ChangeModeration(MarketId MarketId, int Number, ModerationChange Change, string Reason, string By, Instant At) : ModerationCommand(MarketId, By, At);

/// <summary>A second person approves what is proposed.</summary>
public sealed record ApproveModeration(MarketId MarketId, int Number, string By, Instant At) : ModerationCommand(MarketId, By, At);

/// <summary>
/// Moderation (C27): a measure, its undo and its redo are events that compensate one another; nothing is deleted. Credits move only when two people
/// agree, to the insurance account and back.
/// </summary>
public static class ModerationDecider
{
    private const int MostCases = 1_000;

    /// <param name="command">What is asked.</param>
    /// <param name="moderation">The market's cases.</param>
    /// <param name="market">The market.</param>
    /// <param name="about">The account that the caller takes the measure to be about; null = none.</param>
    /// <param name="account">That account; any where there is none.</param>
    /// <param name="insurance">The insurance account.</param>
    public static Decision<StreamEvent> Decide(ModerationCommand command, Moderation moderation, Market market, AccountId? about, Account account, Account insurance) =>
        (market is Market.Unknown ? MarketErrors.NotFound : Decide(command, moderation, new Books(market, about, account, insurance))).Under(market.Policy()?.Hash);

    private static Decision<StreamEvent> Decide(ModerationCommand command, Moderation moderation, Books books)
    {
        switch (command)
        {
            case Moderate c when moderation.Cases.Count >= MostCases:
                return ModerationErrors.TooManyCases;
            case Moderate c when WhyInvalid(c.Measure, books) is { } invalid:
                return invalid;
            case Moderate c:
                var number = moderation.Cases.Count + 1;
                return c.Measure.TouchesMoney()
                    ? [c.MarketId.Abuse.With(new ModerationProposed(number, ModerationChange.Apply, c.Measure, c.Reason, c.By, c.At))]
                    : Do(c, moderation, new ModerationCase(number, c.Measure, CaseState.Proposed, null), ModerationChange.Apply, c.Reason, [c.By], books);
            case ChangeModeration { Change: ModerationChange.Apply }:
                throw new InvalidOperationException("A case is applied by making or approving it.");
        }

        var asked = command is ApproveModeration approval ? approval.Number : ((ChangeModeration)command).Number;
        // Whoever asks about another account than the case's has not seen the case.
        if (moderation.Find(asked) is not { } one || one.Measure.Account != books.About)
        {
            return ModerationErrors.NoSuchCase;
        }

        return (command, one) switch
        {
            // Whoever proposed it may think better of it: nothing was in force, and nothing moves.
            (ChangeModeration { Change: ModerationChange.Undo } c, { State: CaseState.Proposed }) when one.Pending?.By == c.By =>
                [c.MarketId.Abuse.With(new ModerationUndone(one.Number, c.Reason, [c.By], c.At))],
            (ChangeModeration { Change: ModerationChange.Undo }, { State: not CaseState.InForce }) => ModerationErrors.NotInForce,
            (ChangeModeration { Change: ModerationChange.Redo }, { State: not CaseState.Undone }) => ModerationErrors.NotUndone,
            (ChangeModeration, { Pending: not null }) => ModerationErrors.Waiting,
            (ChangeModeration c, _) when one.Measure.TouchesMoney() =>
                [c.MarketId.Abuse.With(new ModerationProposed(one.Number, c.Change, one.Measure, c.Reason, c.By, c.At))],
            (ChangeModeration c, _) => Do(c, moderation, one, c.Change, c.Reason, [c.By], books),

            (ApproveModeration, { Pending: null }) => ModerationErrors.NothingProposed,
            (ApproveModeration c, _) when one.Pending.By == c.By => ModerationErrors.SameApprover,
            (ApproveModeration c, _) => Do(c, moderation, one, one.Pending.Change, one.Pending.Reason, [one.Pending.By, c.By], books),
            _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
        };
    }

    private static Rejection? WhyInvalid(Measure measure, Books books) => measure switch
    {
        { Kind: ModerationKind.Pause or ModerationKind.Limit } when books.Market is Market.Closed => MarketErrors.AlreadyClosed,
        { Kind: ModerationKind.Pause or ModerationKind.Limit, Account: not null } => ModerationErrors.Invalid("account", "is for a restriction or a clawback"),
        { Kind: ModerationKind.Restrict or ModerationKind.Clawback, Account: null } => ModerationErrors.Invalid("account", "is who it is about"),
        { Kind: ModerationKind.Clawback, Amount: not { Units: > 0 } } => ModerationErrors.Invalid("amount", "is greater than 0"),
        { Kind: not ModerationKind.Clawback, Amount: not null } => ModerationErrors.Invalid("amount", "is for a clawback"),
        { Kind: ModerationKind.Clawback, Account: { } account } when account == AccountId.Insurance => ModerationErrors.Invalid("account", "is not the insurance account"),
        { Account: not null } when books.Account is not Account.Open => AccountErrors.NotFound,
        _ => null,
    };

    private static Decision<StreamEvent> Do(
        ModerationCommand c, Moderation moderation, ModerationCase one, ModerationChange change, string reason, EquatableArray<string> by, Books books)
    {
        var isUndo = change == ModerationChange.Undo;
        AbuseEvent done = change switch
        {
            ModerationChange.Apply => new ModerationApplied(one.Number, one.Measure, reason, by, c.At),
            ModerationChange.Undo => new ModerationUndone(one.Number, reason, by, c.At),
            _ => new ModerationRedone(one.Number, reason, by, c.At),
        };
        var effect = one.Measure.Kind switch
        {
            ModerationKind.Pause or ModerationKind.Limit => isUndo ? Release(c, Moderation.Fold.Apply(moderation, done), books.Market) : Halt(c, one.Level, reason, books.Market),
            ModerationKind.Clawback => Move(c, one, isUndo, books),
            _ => [],
        };
        return effect.Rejection is { } refused ? refused : [.. effect.Events, c.MarketId.Abuse.With(done)];
    }

    private static Decision<StreamEvent> Halt(ModerationCommand c, HaltLevel level, string reason, Market market) => market switch
    {
        Market.Closed => MarketErrors.AlreadyClosed,
        // A halt only grows.
        Market.Halted halted when halted.HeldAt >= level => [],
        Market.Halted halted when halted.Level > level => [c.MarketId.Stream.With(new MarketHalted(halted.Level, reason, c.At, HaltRule.Moderation, level, ReopensAt: halted.ReopensAt))],
        _ => [c.MarketId.Stream.With(new MarketHalted(level, reason, c.At, HaltRule.Moderation, level))],
    };

    /// <summary>The halt that is left without a case: what the rules and an operator have, and the other cases, each since when it began.</summary>
    private static Decision<StreamEvent> Release(ModerationCommand c, Moderation after, Market market)
    {
        if (market is not Market.Halted halted)
        {
            return [];
        }

        var highest = after.Halting().MaxBy(one => one.Level);
        var cases = highest is null ? null : new HaltLayer(highest.Level, highest.Level, HaltRule.Moderation, highest.Reason, highest.Since, null);
        // Of several at one level that of a person is named: it is the one that stays.
        HaltLayer?[] layers = [halted.Layers.Manual, cases, halted.Layers.Rules];
        var left = layers.OfType<HaltLayer>().MaxBy(layer => layer.Level);
        if (left is null or { Level: HaltLevel.None })
        {
            return [c.MarketId.Stream.With(new MarketResumed("moderation undone", c.At))];
        }

        var held = layers.Max(layer => layer?.HeldAt) ?? HaltLevel.None;
        return (left.Level, held, left.Rule) == (halted.Level, halted.HeldAt, halted.Rule)
            ? []
            : [c.MarketId.Stream.With(new MarketHalted(
                left.Level, left.Reason, c.At, left.Rule, held, ReopensAt: held < left.Level ? halted.Layers.Rules?.ReopensAt : null, Since: left.Since))];
    }

    private static Decision<StreamEvent> Move(ModerationCommand c, ModerationCase one, bool isUndo, Books books)
    {
        var (account, amount) = (one.Measure.Account!.Value, one.Measure.Amount!.Value);
        var (from, to) = isUndo ? (AccountId.Insurance, account) : (account, AccountId.Insurance);
        var (payer, payee) = isUndo ? (books.Insurance, books.Account) : (books.Account, books.Insurance);
        if (payer.Cash < amount)
        {
            return AccountErrors.InsufficientFunds(payer.Cash, amount);
        }

        if (payee is Account.Open rich && !Decimal8.Fits(rich.Balance.Units, amount.Units))
        {
            return AccountErrors.TooLarge;
        }

        var reference = $"moderation {one.Number}";
        return
        [
            from.Stream.With(new AccountDebited(amount, PostingKind.Moderation, c.MarketId, reference, c.At)),
            .. payee is Account.Open ? Array.Empty<StreamEvent>() : [to.Stream.With(new AccountOpened(to, c.At))],
            to.Stream.With(new AccountCredited(amount, PostingKind.Moderation, c.MarketId, reference, c.At)),
        ];
    }

    private sealed record Books(Market Market, AccountId? About, Account Account, Account Insurance);
}

public static class ModerationErrors
{
    public static readonly Rejection TooManyCases = new(RejectionKind.Refused, "moderation.too_many_cases", "The market has as many cases as there may be.");

    public static readonly Rejection NoSuchCase = new(RejectionKind.NotFound, "moderation.not_found", "The market has no such case.", "number");

    public static readonly Rejection NotInForce = new(RejectionKind.Conflict, "moderation.not_in_force", "The case is not in force.", "number");

    public static readonly Rejection NotUndone = new(RejectionKind.Conflict, "moderation.not_undone", "The case was not undone.", "number");

    public static readonly Rejection Waiting = new(RejectionKind.Conflict, "moderation.waiting", "The case waits for a second person already.", "number");

    public static readonly Rejection NothingProposed = new(RejectionKind.Conflict, "moderation.nothing_proposed", "There is nothing to approve in this case.", "number");

    public static readonly Rejection SameApprover = new(
        RejectionKind.Forbidden, "moderation.same_approver", "Whoever proposed it cannot approve it: credits move only when two people agree.");

    public static Rejection Invalid(string field, string rule) => new(RejectionKind.Invalid, "moderation.invalid", $"{field} {rule}.", field);
}
