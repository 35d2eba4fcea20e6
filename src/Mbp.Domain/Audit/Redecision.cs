using System.Globalization;
using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Custody;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Governance.Slo;
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
/// Asks the decider again. The events of a command tell what was asked for; over the states before it, the same decider must give the very
/// same events. What a caller asked for as a guard (such as a least number of shares) is not in the ledger and cannot have changed it.
/// </summary>
internal static class Redecision
{
    /// <summary>The decision over the states before the command; null where the events do not tell the command.</summary>
    /// <param name="command">The command's events.</param>
    /// <param name="streams">The stream of each of them.</param>
    /// <param name="states">Everything before it.</param>
    public static Decision<StreamEvent>? Of(IReadOnlyList<Recorded> command, List<AuditedStream> streams, AuditStates states)
    {
        for (var i = 0; i < command.Count; i++)
        {
            var (recorded, stream) = (command[i], streams[i]);
            var decision = stream.Category switch
            {
                "market" => OfMarket(new MarketId(stream.Key), recorded.Data, command, states),
                "resolution" => OfResolution(new MarketId(stream.Key), recorded.Data, command, states),
                "quotes" when recorded.Data is TwapRecomputed e => OfTwap(e, states),
                "template" when recorded.Data is TemplatePublished e =>
                    TemplateDecider.Decider.Decide(new PublishTemplate(e.Template, e.At), states.Template(e.Template.Id)).On(recorded.Stream),
                "truth" when recorded.Data is TruthRecorded e =>
                    TruthDecider.Decider.Decide(new RecordTruth(e.Key, e.Value, e.EvidenceUri, e.By, e.At), states.Truth(stream.Key)).On(recorded.Stream),
                "ruleset" when recorded.Data is RulesetPublished e =>
                    RulesetDecider.Decider.Decide(new PublishRuleset(e.Policy, e.Signature, e.At), states.Rulesets(stream.Key)).On(recorded.Stream),
                "watcher" when recorded.Data is BurnReported e =>
                    SloDecider.Decide(new ReportBurn(e.WindowEnd, e.BurnRate, e.At), states.Slo, states.Rulesets(RulesetLibrary.DefaultName)).On(SloPolicy.Stream),
                "abuse" => OfAbuse(new MarketId(stream.Key), recorded.Data, command, states),
                // A clawback may open the insurance account: that is the moderator's decision, and no command of an account.
                // A dispute opens and funds the platform's accounts in the same way.
                "account" when recorded.Data is AccountOpened or CreditsGranted && command.Any(r => r.Data is AbuseEvent or ResolutionEvent) => (Decision<StreamEvent>?)null,
                // In a market's own file the moderator's or the dispute's side of that is another market's, and not there.
                "account" when recorded.Data is AccountOpened e && e.Account == AccountId.Insurance => (Decision<StreamEvent>?)null,
                "account" => OfAccount(new AccountId(stream.Key), recorded.Data, states),
                "withdrawal" => OfWithdrawal(stream.Key, recorded.Data, command, states),
                "reconciliation" when recorded.Data is ReconciliationRecorded e => ReconciliationDecider.Record(e, states.Reconciliation(stream.Key)),
                "custody" => OfCustody(recorded.Data, states),
                _ => (Decision<StreamEvent>?)null,
            };
            if (decision is not null)
            {
                return decision;
            }
        }

        return null;
    }

    private static Decision<StreamEvent>? OfAccount(AccountId id, object @event, AuditStates states)
    {
        AccountCommand? command = @event switch
        {
            AccountOpened e => new OpenAccount(e.Account, e.At),
            CreditsGranted e => new GrantCredits(e.Amount, e.Reason, e.At),
            ApiKeyIssued e => new IssueApiKey(e.KeyId, e.KeySha256, e.Scopes, e.At),
            ApiKeyRevoked e => new RevokeApiKey(e.KeyId, e.At),
            // Debits and credits are the other side of a market's event, or of a withdrawal's.
            _ => null,
        };
        return command is null ? (Decision<StreamEvent>?)null : AccountDecider.Decider.Decide(command, states.Account(id)).On(id.Stream);
    }

    private static Decision<StreamEvent>? OfCustody(object @event, AuditStates states)
    {
        CustodyCommand? command = @event switch
        {
            AnchorKeyAdded e => new AddAnchorKey(e.KeyId, e.Vkey, e.FromSize, e.At),
            AnchorKeyRetired e => new RetireAnchorKey(e.KeyId, e.UntilSize, e.Reason, e.At),
            LogEpochOpened e => new OpenLogEpoch(e.Origin, e.Epoch, e.LastCheckpoint, e.At, e.Reason),
            PayloadErased e => new ErasePayload(e.Position, e.Stream, e.Type, e.Fields, e.RestSha256, e.Why, e.At),
            _ => null,
        };
        return command is null ? (Decision<StreamEvent>?)null : CustodyDecider.Decider.Decide(command, states.Custody).On(LogCustody.Stream);
    }

    /// <summary>What was asked for, as far as the event of a pool tells it: a least number of shares is not in it.</summary>
    public static TradeCommand? CommandOf(MarketId id, PoolEvent change) => change switch
    {
        TradeExecuted { Side: TradeSide.Buy } e => new BuyShares(id, e.Account, e.TradeId, e.Outcome, e.Amount, MinShares: null, e.At),
        TradeExecuted e => new SellShares(id, e.Account, e.TradeId, e.Outcome, e.Shares, MinReturn: null, e.At),
        LiquidityAdded e => new AddLiquidity(id, e.Account, e.Amount, e.At),
        LiquidityRemoved e => new RemoveLiquidity(id, e.Account, e.LpShares, e.At),
        _ => null,
    };

    private static Decision<StreamEvent>? OfMarket(
        MarketId id, object @event, IReadOnlyList<Recorded> written, AuditStates states)
    {
        var before = states.Market(id);
        return @event switch
        {
            MarketCreated e => Create(e),
            PoolEvent e when CommandOf(id, e) is { } asked => Trade(asked),
            // The other side of what the anti-abuse rules or a moderator did.
            MarketHalted { Rule: HaltRule.Abuse or HaltRule.Moderation } or MarketHalted { Since: not null } => (Decision<StreamEvent>?)null,
            MarketResumed { Tick: null } when written[^1].Data is ModerationUndone => (Decision<StreamEvent>?)null,
            MarketResumed { Tick: null } e => MarketDecider.Resume(
                new ResumeMarket(e.Reason, e.At, written.Select(r => r.Data).OfType<ModerationUndone>().FirstOrDefault()?.By[0]), before.Market, before.Moderation),
            MarketHalted { Rule: HaltRule.Sla } e => MarketDecider.Freeze(new FreezeOverdue(e.At), before.Market, before.Resolution),
            MarketHalted { Tick: { } tick } e => Judge(tick, e.At),
            MarketHaltEased e => Judge(e.Tick, e.At),
            MarketResumed { Tick: { } tick } e => Judge(tick, e.At),
            MarketHalted e => Decide(new HaltMarket(e.Asked ?? e.HeldAt ?? e.Level, e.Reason, e.At)),
            RulesetActivated e => MarketDecider.Activate(new ActivateRuleset(e.Version, e.Reason, e.At), e.Name, before.Market, states.Rulesets(e.Name)).On(id.Stream),
            RulesetRolledBack e => Decide(new RollBackRuleset(e.Reason, e.At)),
            MarketClosed e => MarketDecider.Close(new CloseMarket(e.Reason, e.At), before.Market, before.LastDay).On(id.Stream),
            _ => (Decision<StreamEvent>?)null,
        };

        Decision<StreamEvent>? Create(MarketCreated e) =>
            written.Select(r => r.Data).OfType<MarketCreatedTemplate>().FirstOrDefault() is { } made
                ? CreateMarketDecider.Decide(
                    new CreateMarket(id, e.Question, e.Account, made.Liquidity, made.Probabilities, e.ClosesAt, ParametersOf(e), e.Ruleset, e.At),
                    states.Template(made.TemplateId), states.Rulesets(e.Ruleset), before.Market, before.Pool, states.Account(e.Account))
                : (Decision<StreamEvent>?)null;

        Decision<StreamEvent> Trade(TradeCommand command) =>
            TradeDecider.Decide(command, before.Market, before.Pool, states.Account(command.Account), before.Flow, before.Moderation, states.Slo);

        Decision<StreamEvent> Judge(Instant tick, Instant at) => MarketDecider.Judge(new JudgeMarket(tick, at), before.Market, before.Track, before.Pool).On(id.Stream);

        Decision<StreamEvent> Decide(MarketCommand command) => MarketDecider.Decider.Decide(command, before.Market).On(id.Stream);
    }

    private static Decision<StreamEvent>? OfAbuse(MarketId id, object @event, IReadOnlyList<Recorded> written, AuditStates states)
    {
        var before = states.Market(id);
        return @event switch
        {
            AbuseFlagged { Kind: not AbuseKind.RateLimit } e => AbuseDecider.Judge(new JudgeTrades(id, e.Tick, e.At), before.Market, before.Flow, before.Flags),
            RefusalsRecorded e => AbuseDecider.Record(new RecordRefusals(id, e.Minute, e.Total, e.Codes, e.Accounts, e.At), before.Market, before.Flags).On(id.Abuse),
            ModerationProposed { Change: ModerationChange.Apply } e => Moderated(new Moderate(id, e.Measure, e.Reason, e.By, e.At), e.Measure),
            ModerationProposed e => Moderated(new ChangeModeration(id, e.Number, e.Change, e.Reason, e.By, e.At), e.Measure),
            ModerationApplied { By: [_, var second] } e => Moderated(new ApproveModeration(id, e.Number, second, e.At), e.Measure),
            ModerationApplied e => Moderated(new Moderate(id, e.Measure, e.Reason, e.By[0], e.At), e.Measure),
            // A person resumed the market, which its own event tells.
            ModerationUndone when written[^1].Data is MarketResumed => (Decision<StreamEvent>?)null,
            ModerationUndone e => Changed(e.Number, ModerationChange.Undo, e.Reason, e.By, e.At),
            ModerationRedone e => Changed(e.Number, ModerationChange.Redo, e.Reason, e.By, e.At),
            _ => (Decision<StreamEvent>?)null,
        };

        Decision<StreamEvent>? Changed(int number, ModerationChange change, string reason, EquatableArray<string> by, Instant at) => before.Moderation.Find(number) is not { } one
            ? ModerationErrors.NoSuchCase
            : Moderated(by.Count > 1 ? new ApproveModeration(id, number, by[1], at) : new ChangeModeration(id, number, change, reason, by[0], at), one.Measure);

        Decision<StreamEvent>? Moderated(ModerationCommand command, Measure measure) => ModerationDecider.Decide(
            command, before.Moderation, before.Market, measure.Account, measure.Account is { } account ? states.Account(account) : Account.Initial, states.Account(AccountId.Insurance));
    }

    private static Decision<StreamEvent>? OfResolution(
        MarketId id, object @event, IReadOnlyList<Recorded> command, AuditStates states)
    {
        var before = states.Market(id);
        return @event switch
        {
            // By the clock, or by an operator.
            ResolutionStarted e when Actor() == ResolutionDeadlines.Clock => Decide(new AdvanceResolution(id, e.At)),
            ResolutionStarted e => Decide(new StartResolution(id, Actor(), e.At)),
            ReportAccepted e => Decide(new SubmitReport(id, e.Round, e.Source, e.Value, e.ObservedAt, e.Evidence, e.Signature, e.At)),
            ReportRejected e => Decide(new SubmitReport(id, e.Round, e.Source, e.Value, e.ObservedAt, e.Evidence, e.Signature, e.At)),
            SourceEquivocated e => Decide(new SubmitReport(id, e.Round, e.Source, e.Value, e.ObservedAt, e.Evidence, e.Signature, e.At)),
            RuleEvaluated { Answer: { } answer } e => Decide(new RecordEndpointAnswer(id, e.SourceRef, e.Value!, answer.ObservedAt, answer.Evidence, answer.Signature, answer.BodySha256, e.At)),
            RuleEvaluated e when before.Market.Terms() is { AsksOracle: true } => Decide(new AdvanceResolution(id, e.At)),
            RuleEvaluated e => Decide(new StartResolution(id, Actor(), e.At)),
            RoundFailed e => Decide(new AdvanceResolution(id, e.At)),
            // By a round of the oracle, or by two people.
            ResolutionPostponed e when Actor() == ResolutionDeadlines.Clock => Decide(new AdvanceResolution(id, e.At)),
            ResolutionPostponed e => Decide(new ApproveManually(id, Actor(), e.At)),
            DisputeOpened e => Decide(new OpenDispute(id, e.By, e.Value, e.EvidenceUri, e.Reason, e.At), e.By),
            RulingRecorded e => Decide(new RecordRuling(id, e.Dispute, e.Judge, e.Value, e.EvidenceUri, e.Signature, e.At)),
            ArbitrationOpened e => Decide(new AdvanceResolution(id, e.At)),
            DisputeRuled e => Decide(new AdvanceResolution(id, e.At)),
            RollbackProposed e => Decide(new ProposeRollback(id, e.Reason, e.EvidenceUri, e.By, e.At)),
            ResolutionRolledBack e => Decide(new ApproveRollback(id, e.By[1], e.At)),
            ManualProposed e => Decide(new ProposeManually(id, e.Value, e.EvidenceUri, e.By, e.At)),
            ResolutionDetermined e => Decide(new ApproveManually(id, Actor(), e.At)),
            ResolutionFinished e => Decide(new AdvanceResolution(id, e.At)),
            MarketVoided e => Decide(new AdvanceResolution(id, e.At)),
            SettlementPlanned e =>
                SettlementDecider.Plan(new PlanSettlement(id, states.PlanOf(id), e.At), before.Resolution, before.Settlement, before.Pool).On(id.Resolution),
            PayoutRecorded e => Pay(e.At),
            MarketSettled e => Pay(e.At),
            SettlementCorrectionProposed e => CorrectionDecider.Propose(
                new ProposeCorrection(id, e.Value, e.EvidenceUri, e.Reason, e.By, e.At), before.Market, before.Resolution, before.Settlement, before.Pool).On(id.Resolution),
            SettlementCorrected e => CorrectionDecider.Approve(
                new ApproveCorrection(id, states.CorrectionOf(id), e.Shortfall, e.By is [_, var second] ? second : "", e.At),
                before.Resolution, before.Settlement, before.Pool, states.Account(AccountId.Insurance)).On(id.Resolution),
            PayoutCorrected e => Correct(e.At),
            SettlementCorrectionDone e => Correct(e.At),
            _ => (Decision<StreamEvent>?)null,
        };

        string Actor() => command[0].Stored.Header("actor") ?? "";

        Decision<StreamEvent> Decide(ResolutionCommand asked, AccountId? opening = null)
        {
            var (rules, disputer) = (before.Market.Policy()?.Rules.Name ?? "none", opening ?? before.Resolution.OpenDispute?.By);
            return ResolutionDecider.Decide(asked, new ResolutionBooks(before.Market, before.Resolution, before.Pool)
            {
                Settlement = before.Settlement, Truth = TruthTable.NameIn(before.Market.Terms()?.TruthRef) is { } table ? states.Truth(table) : TruthTable.Initial,
                Oracle = states.Oracle(rules), OracleOf = rules, Disputer = disputer, DisputerAccount = disputer is { } by ? states.Account(by) : Account.Initial,
                Desk = states.Account(AccountId.ResolutionDesk), Insurance = states.Account(AccountId.Insurance),
            });
        }

        Decision<StreamEvent> Pay(Instant at) => SettlementDecider.Pay(
            new PayNext(id, states.PlanOf(id), (before.Settlement as MarketSettlement.Paying)?.Done ?? 0, command.Count(r => r.Data is PayoutRecorded), at), before.Settlement);

        Decision<StreamEvent> Correct(Instant at) => CorrectionDecider.Post(
            new PostCorrections(
                id, states.CorrectionOf(id), (before.Settlement as MarketSettlement.Settled)?.Posting?.Posted ?? 0, command.Count(r => r.Data is PayoutCorrected), at),
            before.Settlement, states.Account, states.Account(AccountId.Insurance));
    }

    private static Decision<StreamEvent>? OfWithdrawal(string key, object @event, IReadOnlyList<Recorded> command, AuditStates states)
    {
        var before = states.Withdrawal(key);
        var id = new WithdrawalId(key);
        return (@event, before.Asked) switch
        {
            (WithdrawalRequested e, _) => Decide(new RequestWithdrawal(id, e.Account, e.Amount, e.Payee, e.At)),
            (PayoutSubmitted e, { } asked) => Decide(new SubmitPayout(id, asked.Account, e.Attempt, e.NotAfter ?? e.At, e.At)),
            (PayoutDeferred e, { } asked) => Decide(new RecordAnswer(id, asked.Account, e.Attempt, AnswerOf(e.Reason, e.At), e.NextAt, e.At)),
            (PayoutSettled e, { } asked) => Decide(new RecordAnswer(id, asked.Account, null, SettledOf(e), e.At, e.At)),
            (PayoutFailed { Code: WithdrawalDecider.Exhausted } e, { } asked) when before is Withdrawal.Submitted submitted =>
                Decide(new RecordAnswer(id, asked.Account, submitted.Attempt, new RailAnswer.NotFound(), e.At, e.At)),
            (PayoutFailed e, { } asked) => Decide(new RecordAnswer(id, asked.Account, null, new RailAnswer.Rejected(e.Code), e.At, e.At)),
            (PayoutReversed e, { } asked) =>
                Decide(new RecordAnswer(id, asked.Account, null, new RailAnswer.Reversed(e.RailReference, e.Amount, e.Code, e.RailAt, e.RailAt), e.At, e.At)),
            _ => (Decision<StreamEvent>?)null,
        };

        Decision<StreamEvent> Decide(WithdrawalCommand asked) => WithdrawalDecider.Decide(asked, before, states.Account(asked.Account));

        // A payment that had come back before the ledger heard of it is settled and reversed in one command.
        RailAnswer SettledOf(PayoutSettled e) => command.Select(r => r.Data).OfType<PayoutReversed>().FirstOrDefault() is { } back
            ? new RailAnswer.Reversed(e.RailReference, e.Amount, back.Code, e.RailAt, back.RailAt)
            : new RailAnswer.Settled(e.RailReference, e.Amount, e.RailAt);
    }

    // An answer that leads to the reason: which amount the rail spoke of, or what it returned, is not in the ledger.
    private static RailAnswer AnswerOf(PayoutDelay reason, Instant at) => reason switch
    {
        PayoutDelay.Accepted => new RailAnswer.Pending(),
        PayoutDelay.Unavailable => new RailAnswer.Unavailable(),
        PayoutDelay.Unanswered => new RailAnswer.Silence(),
        PayoutDelay.NotTaken => new RailAnswer.NotFound(),
        PayoutDelay.AmountDiffers => new RailAnswer.Settled("", Credits.Zero, at),
        PayoutDelay.AccountFull => new RailAnswer.Rejected(""),
        _ => throw new InvalidOperationException($"{reason} has no answer that leads to it."),
    };

    private static Decision<StreamEvent> OfTwap(TwapRecomputed e, AuditStates states)
    {
        var before = states.Market(e.MarketId);
        return TwapDecider.Decide(new RecomputeTwap(e.MarketId, e.At), before.Market, before.Track, before.Twap).On(e.MarketId.Quotes);
    }

    /// <summary>The parameters that lead to these terms, spelled out also where the template's defaults were used.</summary>
    private static Dictionary<string, string> ParametersOf(MarketCreated e)
    {
        var parameters = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["feePpm"] = e.FeePpm.ToString(CultureInfo.InvariantCulture),
            ["resolutionWindowMinutes"] = ((long)(e.ResolutionDeadline - e.ClosesAt).TotalMinutes).ToString(CultureInfo.InvariantCulture),
            ["truthSource"] = e.TruthRef == MarketTerms.OracleRef ? MarketTerms.OracleRef : Words.Of(e.TruthSource),
        };
        if (e.TruthSource == TruthSource.Endpoint && e.TruthRef != MarketTerms.OracleRef)
        {
            parameters["truthUrl"] = e.TruthRef!;
        }

        if (e.TruthSource == TruthSource.Table && e.TruthRef?.Split('/') is [var table, var key])
        {
            (parameters["truthTable"], parameters["truthKey"]) = (table, key);
        }

        if (e is { Lower: { } lower, Upper: { } upper })
        {
            (parameters["lower"], parameters["upper"]) = (lower.ToString(), upper.ToString());
        }

        if (e.Kind == MarketKind.Categorical)
        {
            parameters["outcomes"] = string.Join(',', e.Outcomes);
        }

        return parameters;
    }
}
