using Mbp.Domain.Governance.Custody;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Log;
using Mbp.Ledger.Postgres.Log;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Anchoring;

/// <summary>A log that took over.</summary>
/// <param name="Position">Of the event that opened it.</param>
/// <param name="Quoted">The last signed head of the log before it.</param>
/// <param name="Note">Its first checkpoint.</param>
internal sealed record OpenedEpoch(LogRecord Log, long Position, SignedNote Quoted, SignedNote Note);

/// <summary>
/// Gives a log up that cannot go on, because signed leaves are lost, and begins the next one (ADR 0011): the old heads are kept as evidence, an event quotes the
/// last of them, and a new key under a new origin signs from that event on. Each step can be done again, so an interrupted one is simply asked for again.
/// </summary>
internal sealed class LogEpochs(Database database, LogKeeper keeper, ReceiptSigner receipts, LedgerWriter writer) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly Rejection Healthy = new(RejectionKind.Conflict, "log.healthy", "The log is signed up to its head: there is nothing to give up.");

    private readonly SemaphoreSlim _turn = new(1);

    /// <param name="confirm">The origin that is given up, so that nobody does it to another log than he thinks.</param>
    /// <param name="reason">Why; it becomes part of the log.</param>
    /// <param name="context">Who decides.</param>
    /// <param name="cancellationToken">Before anything is done.</param>
    /// <exception cref="LogHaltException">The new log cannot be signed either.</exception>
    /// <exception cref="LogElsewhereException">Another process keeps the log.</exception>
    public async Task<(OpenedEpoch? Opened, Rejection? Rejection)> OpenAsync(string confirm, string reason, CommandContext context, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var log = database.Log;
            if (confirm != log.Origin)
            {
                return (null, new Rejection(RejectionKind.Invalid, "log.not_confirmed", $"The log is {log.Origin}; repeat that to give it up.", "confirm"));
            }

            return await FaultAsync(cancellationToken).ConfigureAwait(false) switch
            {
                null => (null, Healthy),
                { Kind: LogFaults.Leaf or LogFaults.Gap or LogFaults.Tree } fault => (null, new Rejection(
                    RejectionKind.Conflict, "log.not_by_epoch", $"A new epoch would have the same entries and mends nothing here: {fault.What}")),
                var fault => await OpenAsync(log, fault, reason, context).ConfigureAwait(false),
            };
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    /// <summary>Why the log is not signed, looked at anew.</summary>
    private async Task<LogFault?> FaultAsync(CancellationToken cancellationToken)
    {
        try
        {
            await keeper.SignNowAsync(cancellationToken).WaitAsync(Patience, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (LogHaltException e)
        {
            return e.Fault;
        }
    }

    private async Task<(OpenedEpoch? Opened, Rejection? Rejection)> OpenAsync(PublicLog log, LogFault fault, string reason, CommandContext context)
    {
        var old = log.Record;
        var keys = (await log.Store.KeysAsync(old.Epoch, CancellationToken.None).ConfigureAwait(false)).Where(key => key.Until is null).ToList();
        var stored = await log.Store.NewestAsync(old.Epoch, CancellationToken.None).ConfigureAwait(false);
        var held = Held(log, keys);
        if ((held ?? stored?.Note) is not { } quoted)
        {
            return (null, CustodyErrors.NoEvidence);
        }

        // Both heads, before anything changes.
        if (stored is not null)
        {
            log.Evidence.Keep(old.Epoch, "stored", stored.Note);
        }

        log.Evidence.Keep(log.EpochOf(Checkpoint.Of(quoted).Origin) ?? old.Epoch, "last-signed", quoted);
        log.Evidence.Keep($"epoch-{old.Epoch}-why.txt", System.Text.Encoding.UTF8.GetBytes($"{fault.Kind} {fault.Position}\n{fault.What}\n{context.Actor}: {reason}\n"));

        // The custody knows of the keys that end.
        foreach (var key in keys)
        {
            if ((await SendAsync(at => new AddAnchorKey(key.Id, key.Key.ToString(), key.From, at), context).ConfigureAwait(false)).Rejection is { } unknown)
            {
                return (null, unknown);
            }
        }

        // A ledger that was restored to before an epoch has forgotten it; its origin is taken all the same.
        var epoch = 1 + log.Evidence.Notes().Select(kept => log.EpochOf(Checkpoint.Of(kept.Note).Origin) ?? 0).Append(old.Epoch).Max();
        var origin = PublicLog.OriginOf(log.Name, epoch);
        var opened = await SendAsync(at => new OpenLogEpoch(origin, epoch, quoted.Format(), at, reason), context).ConfigureAwait(false);
        if (opened.Rejection is { } refused)
        {
            return (null, refused);
        }

        var until = Checkpoint.Of(quoted) is var last && last.Origin == old.Origin ? last.Size : stored?.Size ?? 0;
        var next = log.Keys.Create(origin);
        if (!await log.Store.TakeOverAsync(old.Epoch, until, epoch, origin, next, opened.Position, CancellationToken.None).ConfigureAwait(false))
        {
            log.Keys.Destroy(next);
            throw new LogElsewhereException();
        }

        // From here on the new log is the log, whatever becomes of the rest.
        await log.RefreshAsync(CancellationToken.None).ConfigureAwait(false);
        await receipts.RenewAsync(log, CancellationToken.None).ConfigureAwait(false);
        await SendAsync(at => new AddAnchorKey(LogText.Of(next), next.ToString(), opened.Position, at), context).ConfigureAwait(false);
        foreach (var key in keys)
        {
            await SendAsync(at => new RetireAnchorKey(key.Id, Math.Max(key.From, until), reason, at), context).ConfigureAwait(false);
            log.Keys.Destroy(key.Key);
        }

        return (new OpenedEpoch(log.Record, opened.Position, quoted, await keeper.SignNowAsync(CancellationToken.None).WaitAsync(Patience).ConfigureAwait(false)), null);
    }

    /// <summary>The last signed head from outside of the database, if it is one of this log; what else is there is kept as it is.</summary>
    private static SignedNote? Held(PublicLog log, IReadOnlyList<LogKeyRecord> keys)
    {
        try
        {
            // A later epoch's keys are not in a database that was restored to before it.
            return log.LastSigned.Read() is { } note && log.EpochOf(Checkpoint.Of(note).Origin) is { } epoch && (epoch > log.Epoch || keys.Any(key => note.Verify(key.Key) == SignatureState.Valid)) ? note : null;
        }
        catch (LogHaltException)
        {
            log.Evidence.Keep($"epoch-{log.Epoch}-last-signed.unreadable", File.ReadAllBytes(log.LastSigned.FilePath));
            return null;
        }
    }

    private Task<CommandOutcome> SendAsync(Func<Instant, CustodyCommand> command, CommandContext context) =>
        writer.SubmitAsync(Operation.On(CustodyDecider.Decider, LogCustody.Fold.Of(LogCustody.Stream), command), context, CancellationToken.None);
}
