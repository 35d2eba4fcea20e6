using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Tests.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Tests;

/// <summary>
/// Any history of commands over some accounts and markets, through the deciders and folds alone. After every commit: value is conserved,
/// one resolution, no payout before it, no trade after the close. A history is made of bytes, so that a failing one shrinks.
/// </summary>
public sealed class HistoryProperties
{
    [Fact]
    public void Every_history_keeps_what_must_hold()
    {
        var (trades, settled) = (0, 0);
        Prop.ForAll(Gen.Choose(0, 255).Select(b => (byte)b).ArrayOf(600).ToArbitrary(), bytes =>
        {
            var ledger = new World();
            for (var i = 0; i + 3 < bytes.Length; i += 4)
            {
                ledger.Do(bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]);
            }

            ledger.Finish();
            (trades, settled) = (trades + ledger.Trades, settled + ledger.Settled);
        }).QuickCheckThrowOnFailure();

        // The histories are about something.
        Assert.True(trades > 500 && settled > 50, $"{trades} trades, {settled} settlements");
    }

    private sealed class World
    {
        private static readonly AccountId[] People = [.. Enumerable.Range(0, 4).Select(i => new AccountId($"a{i}"))];
        private static readonly MarketId[] Ids = [new("m0"), new("m1"), new("m2")];

        private readonly Dictionary<AccountId, Account> _accounts = People.Append(AccountId.Insurance).ToDictionary(a => a, _ => Account.Initial);
        private readonly Dictionary<MarketId, MarketStates> _markets = Ids.ToDictionary(m => m, _ => new MarketStates());
        private TruthTable _truth = TruthTable.Initial;
        private BigInteger _granted;
        private Instant _now = Terms.Noon;

        public int Trades { get; private set; }

        public int Settled => _markets.Values.Count(m => m.Settlement is MarketSettlement.Settled);

        public void Do(byte what, byte who, byte where, byte amount)
        {
            _now += Duration.FromMilliseconds(1 + amount * 1000L);
            var (account, id) = (People[who % 4], Ids[where % 3]);
            var (m, outcome) = (_markets[id], where % 2 == 0 ? "YES" : "NO");
            // Small, middling and enormous: the range of amounts is part of what is tested.
            var credits = Credits.FromUnits((who / 4 % 3) switch { 0 => 1 + amount, 1 => (1L + amount) * Decimal8.One * 10, _ => Decimal8.Max - amount });
            var half = Shares.FromUnits(m.Pool.HolderOf(account).Shares is { Count: > 0 } held ? held[where % 2].Units * (1 + amount % 4) / 4 : 1 + amount);
            var op = $"op-{who % 2}";
            switch (what % 16)
            {
                case 0 or 1:
                    Commit(AccountDecider.Decider.Decide(new OpenAccount(account, _now), _accounts[account]).On(account.Stream));
                    Commit(AccountDecider.Decider.Decide(new GrantCredits(credits, "g", _now), _accounts[account]).On(account.Stream));
                    break;
                case 2 or 3:
                    var table = amount % 2 == 0;
                    Commit(CreateMarketDecider.Decide(
                        new CreateMarket(
                            id, "Will it rain?", account, Credits.FromUnits(100 * Decimal8.One + amount * 5 * Decimal8.One), [], null,
                            table ? new Dictionary<string, string> { ["truthSource"] = "table", ["truthTable"] = "t" } : [], amount % 3 == 0 ? "default" : "replay", _now),
                        Terms.Published(), Terms.Library(amount % 3 == 0 ? "default" : "replay"), m.Market, m.Pool, _accounts[account]));
                    break;
                case 4 or 5 or 6:
                    Trade(new BuyShares(id, account, $"t{_now}", outcome, credits, null, _now));
                    break;
                case 7 or 8:
                    Trade(new SellShares(id, account, $"t{_now}", outcome, half, null, _now));
                    break;
                case 9:
                    Trade(new AddLiquidity(id, account, credits, _now));
                    break;
                case 10:
                    Trade(new RemoveLiquidity(id, account, LpShares.FromUnits(m.Pool.HolderOf(account).LpShares.Units / (1 + amount % 3)), _now));
                    break;
                case 11 when who % 3 == 0:
                    Judge(id, m);
                    break;
                case 11 when who % 3 == 1:
                    Moderate(id, m, account, amount, op);
                    break;
                case 11:
                    Commit(amount % 2 == 0
                        ? MarketDecider.Decider.Decide(new HaltMarket((HaltLevel)(1 + amount % 3), "h", _now), m.Market).On(id.Stream)
                        : MarketDecider.Resume(new ResumeMarket("r", _now, op), m.Market, m.Moderation));
                    break;
                case 12 when amount < 90:
                    Commit(MarketDecider.Close(new CloseMarket("c", _now), m.Market, m.History).On(id.Stream));
                    break;
                case 13:
                    Resolve(id, new StartResolution(id, op, _now));
                    Resolve(id, new ProposeManually(id, amount % 3 == 0 ? "INVALID" : outcome, "urn:x", op, _now));
                    break;
                case 14:
                    Resolve(id, new ApproveManually(id, op, _now));
                    Commit(TruthDecider.Decider.Decide(new RecordTruth(id.Value, outcome, "urn:x", op, _now), _truth).On(TruthTable.StreamOf("t")));
                    break;
                case 15:
                    _now += Duration.FromMinutes(amount);
                    Resolve(id, new AdvanceResolution(id, _now));
                    Settle(id, most: 1 + amount % 2);
                    break;
                default:
                    break;
            }
        }

        /// <summary>Brings every market to its end.</summary>
        public void Finish()
        {
            foreach (var id in Ids)
            {
                var m = _markets[id];
                m.CheckSnapshots();
                _now += Duration.FromHours(3);
                Commit(MarketDecider.Close(new CloseMarket("c", _now), m.Market, m.History).On(id.Stream));
                Resolve(id, new StartResolution(id, "op-0", _now));
                Resolve(id, new StartResolution(id, "op-1", _now));
                Resolve(id, new ProposeManually(id, "YES", "urn:x", "op-0", _now));
                Resolve(id, new ApproveManually(id, "op-1", _now));
                Resolve(id, new ApproveManually(id, "op-0", _now));
                _now += Duration.FromHours(3);
                Resolve(id, new AdvanceResolution(id, _now));
                for (var i = 0; i < 6; i++)
                {
                    Settle(id, most: 1);
                }

                Assert.True(m.Market is Market.Unknown || m.Settlement is MarketSettlement.Settled || !Decimal8.Fits(_accounts.Values.OfType<Account.Open>().Max(a => a.Balance.Units), m.Pool.Locked.Units + m.Pool.FeePool.Units));
            }
        }

        private void Trade(TradeCommand command)
        {
            var m = _markets[command.MarketId];
            var decision = TradeDecider.Decide(command, m.Market, m.Pool, _accounts[command.Account], m.Flow, m.Moderation, SloPolicy.Fold.Initial);
            // S4.I1: nobody trades in a market that is closed, resolved or halted hard.
            Assert.True(decision.Rejection is not null || m.Market is Market.Open or Market.Halted { Level: not HaltLevel.Hard });
            Trades += decision.Rejection is null ? 1 : 0;
            Commit(decision);
        }

        private void Judge(MarketId id, MarketStates m)
        {
            var tick = Instant.FromUnixTimeSeconds(_now.ToUnixTimeSeconds() / 30 * 30);
            var (before, pool) = (m.Market, m.Pool);
            Commit(MarketDecider.Judge(new JudgeMarket(tick, _now), m.Market, m.Track, m.Pool).On(id.Stream));
            // Rules move one level down at a time, never below what a person holds, and never judge a tick twice.
            Assert.True(m.Market.HaltLevel() >= before.HaltLevel() - 1);
            Assert.True(before is not Market.Halted held || m.Market.HaltLevel() >= held.HeldAt || held.Level < held.HeldAt);
            Assert.Empty(MarketDecider.Judge(new JudgeMarket(tick, _now), m.Market, m.Track, pool).Events.Where(_ => m.Market != before));
            Commit(AbuseDecider.Judge(new JudgeTrades(id, tick, _now), m.Market, m.Flow, m.Flags));
            Commit(AbuseDecider.Record(new RecordRefusals(id, tick - Duration.FromMinutes(2), 3, [], [new AccountCount(People[0], 3)], _now), m.Market, m.Flags).On(id.Abuse));
        }

        private void Moderate(MarketId id, MarketStates m, AccountId account, byte amount, string op)
        {
            var number = 1 + (amount % (m.Moderation.Cases.Count + 1));
            ModerationCommand command = (amount % 7) switch
            {
                0 => new Moderate(id, new Measure(ModerationKind.Pause, null, null, "urn:e"), "odd", op, _now),
                1 => new Moderate(id, new Measure(ModerationKind.Restrict, account, null, "urn:e"), "odd", op, _now),
                2 => new Moderate(id, new Measure(ModerationKind.Clawback, account, Credits.FromUnits(amount * Decimal8.One), "urn:e"), "odd", op, _now),
                3 => new ChangeModeration(id, number, ModerationChange.Undo, "sorry", op, _now),
                4 => new ChangeModeration(id, number, ModerationChange.Redo, "after all", op, _now),
                _ => new ApproveModeration(id, number, op, _now),
            };
            var about = command is Moderate made ? made.Measure.Account : m.Moderation.Find(number)?.Measure.Account;
            var (before, balances) = (m.Moderation.Find(number), _accounts.Values.Sum(a => (decimal)((a as Account.Open)?.Balance.Units ?? 0)));
            Commit(ModerationDecider.Decide(command, m.Moderation, m.Market, about, about is { } whom ? _accounts[whom] : Account.Initial, _accounts[AccountId.Insurance]));
            // What touches money waits for another person, or is withdrawn; and moving credits makes none.
            Assert.True(before?.Pending is not { } pending || pending.By != op || m.Moderation.Find(number) is var now && (now == before || now?.State == CaseState.Undone));
            Assert.Equal(balances, _accounts.Values.Sum(a => (decimal)((a as Account.Open)?.Balance.Units ?? 0)));
        }

        private void Resolve(MarketId id, ResolutionCommand command)
        {
            var m = _markets[id];
            var decision = ResolutionDecider.Decide(command, new ResolutionBooks(m.Market, m.Resolution, m.Pool) { Truth = _truth });
            // Q4.I3: what is final stays.
            Assert.True(!m.Resolution.IsFinal || decision.Events.IsEmpty);
            Commit(decision);
        }

        private void Settle(MarketId id, int most)
        {
            var m = _markets[id];
            Commit(SettlementDecider.Plan(new PlanSettlement(id, null, _now), m.Resolution, m.Settlement, m.Pool).On(id.Resolution));
            if (m.Settlement is MarketSettlement.Paying { Plan: var plan })
            {
                var lines = SettlementPlan.From(m.Pool, new PayoutVector(plan.Vector));
                // A payout to an account that it would take beyond the largest amount cannot be made: the fold throws, and the market waits.
                if (lines.Payable.All(line => Decimal8.Fits(((Account.Open)_accounts[line.Account]).Balance.Units, line.Total().Units)))
                {
                    Commit(SettlementDecider.Pay(new PayNext(id, lines, (m.Settlement as MarketSettlement.Paying)?.Done ?? 0, most, _now), m.Settlement));
                }
            }
        }

        private void Commit(Decision<StreamEvent> decision)
        {
            if (decision.Rejection is not null || decision.Events.IsDefaultOrEmpty)
            {
                return;
            }

            foreach (var (stream, @event) in decision.Events)
            {
                switch (stream.Category)
                {
                    case "account":
                        _accounts[new AccountId(stream.Key)] = Account.Fold.Apply(_accounts[new AccountId(stream.Key)], @event);
                        break;
                    case "truth":
                        _truth = TruthTable.Fold.Apply(_truth, @event);
                        break;
                    default:
                        _markets[new MarketId(stream.Key)].Apply(@event);
                        break;
                }

                _granted += @event is CreditsGranted granted ? granted.Amount.Units : 0;
            }

            Check();
        }

        private void Check()
        {
            var sum = _accounts.Values.OfType<Account.Open>().Aggregate(BigInteger.Zero, (all, a) => all + a.Balance.Units);
            foreach (var m in _markets.Values)
            {
                sum += (BigInteger)m.Pool.Locked.Units + m.Pool.FeePool.Units - m.Paid;
                // Q4.I5: payouts only under a final value, never more than there is.
                Assert.True(m.Paid == 0 || m.Resolution is MarketResolution.Finished or MarketResolution.Voided);
                Assert.True(m.Paid <= m.Pool.Locked.Units + m.Pool.FeePool.Units);
                // Q4.I6, and reserves with holdings are the complete sets.
                Assert.Equal(m.Pool.LpSupply.Units, m.Pool.Holders.Values.Sum(h => h.LpShares.Units));
                for (var o = 0; o < m.Pool.Outcomes.Count; o++)
                {
                    Assert.Equal(m.Pool.Locked.Units, m.Pool.Reserves[o].Units + m.Pool.Holders.Values.Sum(h => h.Shares[o].Units));
                }
            }

            // Q4.I2, to the unit.
            Assert.Equal(_granted, sum);
        }
    }

    private sealed class MarketStates
    {
        public Market Market { get; private set; } = Market.Initial;

        public Pool Pool { get; private set; } = Pool.Fold.Initial;

        public PriceHistory History { get; private set; } = PriceFolds.LastDay.Initial;

        public MarketResolution Resolution { get; private set; } = MarketResolution.Initial;

        public MarketSettlement Settlement { get; private set; } = MarketSettlement.Initial;

        public BigInteger Paid { get; private set; }

        public PriceTrack Track { get; private set; } = PriceTrack.Empty;

        public TradeFlow Flow { get; private set; } = TradeFlow.Initial;

        public FlagLog Flags { get; private set; } = FlagLog.Fold.Initial;

        public Moderation Moderation { get; private set; } = Moderation.None;

        /// <summary>A state that a snapshot does not bring back would stop its market at the next start.</summary>
        public void CheckSnapshots()
        {
            Check(Market.Fold, Market);
            Check(Pool.Fold, Pool);
            Check(PriceFolds.Track, Track);
            Check(TradeFlow.Fold, Flow);
            Check(FlagLog.Fold, Flags);
            Check(Moderation.Fold, Moderation);

            static void Check(IFold fold, object state) => Assert.Equal(fold.Save(state), fold.Save(fold.Load(fold.Save(state))));
        }

        public void Apply(object @event)
        {
            Market = Market.Fold.Apply(Market, @event);
            Pool = Pool.Fold.Apply(Pool, @event);
            History = PriceFolds.LastDay.Apply(History, @event);
            (Track, Flow) = (PriceFolds.Track.Apply(Track, @event), TradeFlow.Fold.Apply(Flow, @event));
            (Flags, Moderation) = (FlagLog.Fold.Apply(Flags, @event), Moderation.Fold.Apply(Moderation, @event));
            Resolution = MarketResolution.Fold.Apply(Resolution, @event);
            Settlement = MarketSettlement.Fold.Apply(Settlement, @event);
            Paid += @event is PayoutRecorded payout ? payout.Amount.Units : 0;
        }
    }
}
