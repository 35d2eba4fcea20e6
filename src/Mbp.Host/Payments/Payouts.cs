using Mbp.Domain.Accounts;
using Mbp.Domain.Payments;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Payments;

/// <summary>The commands of a withdrawal, and its state as the ledger has it.</summary>
internal sealed class Payouts(LedgerWriter writer, IEventStore store, EventCatalog catalog, IPayoutRail rail, PayoutTerms terms)
{
    public IPayoutRail Rail => rail;

    public PayoutTerms Terms => terms;

    public static Operation Request(WithdrawalId id, AccountId account, Credits amount, PayeeId payee) =>
        On(id, account, at => new RequestWithdrawal(id, account, amount, payee, at));

    public static Operation Submit(WithdrawalId id, AccountId account, int attempt) =>
        On(id, account, at => new SubmitPayout(id, account, attempt, at + PayoutTerms.OrderLife, at));

    /// <summary>Records what the rail said: to an attempt, or by itself (<paramref name="attempt"/> null).</summary>
    public async Task<CommandOutcome> RecordAsync(
        WithdrawalId id, AccountId account, int? attempt, RailAnswer answer, CommandContext context, CancellationToken cancellationToken)
    {
        var said = Bounded(answer);
        var outcome = await writer.SubmitAsync(
            On(id, account, at => new RecordAnswer(id, account, attempt, said, at + terms.Backoff.After(id, attempt ?? 1), at)), context, cancellationToken).ConfigureAwait(false);
        PayoutMetrics.Saw(outcome);
        return outcome;
    }

    /// <summary>The withdrawal from its committed events: what nobody can take back any more.</summary>
    public async Task<Withdrawal> FindAsync(WithdrawalId id, CancellationToken cancellationToken)
    {
        var state = Withdrawal.Initial;
        await foreach (var stored in store.ReadStreamAsync(id.Stream, 0, cancellationToken).ConfigureAwait(false))
        {
            state = Withdrawal.Fold.Apply(state, catalog.Decode(stored).Data);
        }

        return state;
    }

    private static Operation On(WithdrawalId id, AccountId account, Func<Instant, WithdrawalCommand> command)
    {
        var (withdrawal, cash) = (Withdrawal.Fold.Of(id.Stream), Account.Fold.Of(account.Stream));
        return Operation.On(withdrawal, cash, (at, of, by) => WithdrawalDecider.Decide(command(at), of, by));
    }

    // What comes from outside and is stored for ever is held to the form of an id: a rail must not be able to write prose into the ledger. A payment
    // without a name that can be kept is no answer: people ask the rail what it means, and nobody is paid again meanwhile.
    private static RailAnswer Bounded(RailAnswer answer) => answer switch
    {
        RailAnswer.Settled a when !Identifier.IsValid(a.Reference) => new RailAnswer.Silence(),
        RailAnswer.Reversed a when !Identifier.IsValid(a.Reference) => new RailAnswer.Silence(),
        RailAnswer.Settled a => a with { RailAt = Micros(a.RailAt) },
        RailAnswer.Rejected a => new RailAnswer.Rejected(Word(a.Code)),
        RailAnswer.Reversed a => a with { Code = Word(a.Code), SettledAt = Micros(a.SettledAt), RailAt = Micros(a.RailAt) },
        _ => answer,
    };

    private static Instant Micros(Instant at) => Instant.FromUnixTimeTicks(at.ToUnixTimeTicks() / 10 * 10);

    private static string Word(string code) => Identifier.IsValid(code) && code != WithdrawalDecider.Exhausted ? code : "unspecified";
}
