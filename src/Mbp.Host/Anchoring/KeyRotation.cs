using Mbp.Domain.Governance.Custody;
using Mbp.Ledger;
using Mbp.Ledger.Postgres.Log;
using Mbp.Ledger.Writing;
using Mbp.Host.Platform;
using NodaTime;

namespace Mbp.Host.Anchoring;

/// <summary>
/// The keys of the public log in this process, and their rotation (integrity.md, section 1.7): a new key is added and signs beside the old one;
/// 14 days later the old one is retired and destroyed. Each step looks at what is there and does what is left, so that one that was interrupted is
/// simply asked for again.
/// </summary>
internal sealed class KeyRotation(Database database, ReceiptSigner receipts, LogKeeper keeper, LedgerWriter writer, IEventStore store, IClock clock) : IDisposable
{
    // What clients have to learn the new key; they find it under /log/vkeys and in the log itself.
    public static readonly Duration Notice = Duration.FromDays(14);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _turn = new(1);

    private PublicLog Log => database.Log;

    public Task<IReadOnlyList<LogKeyRecord>> KeysAsync(CancellationToken cancellationToken) => Log.Store.KeysAsync(Log.Epoch, cancellationToken);

    /// <summary>Does the next step of a rotation.</summary>
    /// <param name="now">Retire the old key although its successor is younger than the notice.</param>
    /// <param name="reason">Why; kept with the retirement.</param>
    /// <param name="context">Who asks.</param>
    /// <param name="cancellationToken">Before a step, not in it.</param>
    /// <returns>What was done, and from when on the old key may be retired.</returns>
    public async Task<(string Done, Instant? RetireFrom, Rejection? Rejection)> StepAsync(bool now, string? reason, CommandContext context, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var done = "waiting";
            var rejection = await FinishAsync(reason, context).ConfigureAwait(false);
            var inForce = (await KeysAsync(cancellationToken).ConfigureAwait(false)).Where(key => key.Until is null).ToList();
            if (rejection is null && inForce.Count == 1)
            {
                (done, rejection) = ("added", await AddAsync(inForce[0], context).ConfigureAwait(false));
                inForce = [.. (await KeysAsync(cancellationToken).ConfigureAwait(false)).Where(key => key.Until is null)];
            }

            // Also for one that an interrupted call has kept and not announced; a second time it says nothing new.
            foreach (var key in inForce.Skip(1).TakeWhile(_ => rejection is null))
            {
                rejection = await SendAsync(at => new AddAnchorKey(key.Id, key.Key.ToString(), key.From, at), context).ConfigureAwait(false);
            }

            if (rejection is not null)
            {
                return (done, null, rejection);
            }

            var from = await SinceAsync(inForce[^1], cancellationToken).ConfigureAwait(false) + Notice;
            if (!now && clock.GetCurrentInstant() < from)
            {
                return (done, from, null);
            }

            await RetireAsync(inForce[0], inForce[^1]).ConfigureAwait(false);
            return ("retired", null, await FinishAsync(reason, context).ConfigureAwait(false));
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private async Task<Rejection?> AddAsync(LogKeyRecord old, CommandContext context)
    {
        // The first key of a log came before any event; its end could not be told of a key that nobody has heard of.
        if (await SendAsync(at => new AddAnchorKey(old.Id, old.Key.ToString(), old.From, at), context).ConfigureAwait(false) is { } unknown)
        {
            return unknown;
        }

        // Kept first: a key that was announced and then lost with the process would never sign. From the next checkpoint on both sign.
        var key = Log.Keys.Create(Log.Origin);
        await Log.Store.AddKeyAsync(Log.Epoch, key, await store.HeadAsync(CancellationToken.None).ConfigureAwait(false), CancellationToken.None).ConfigureAwait(false);
        return null;
    }

    private async Task RetireAsync(LogKeyRecord old, LogKeyRecord next)
    {
        receipts.Use(Log.Keys.Find(next.Key) ?? throw new LogHaltException(LogFaults.Key, null, $"The private key {next.Id} is not in {Log.Keys.Folder}."));
        var last = receipts.SignedTo(old.Key);
        using var patience = new CancellationTokenSource(Patience);
        // Batches that the old key has signed are committed, or fail and are never seen: none of them may lie beyond its last checkpoint.
        while (await store.HeadAsync(patience.Token).ConfigureAwait(false) < last && !patience.IsCancellationRequested)
        {
            await Task.Delay(50, patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await keeper.RetireAsync(old.Key, CancellationToken.None).WaitAsync(Patience).ConfigureAwait(false);
    }

    /// <summary>For every key whose time has ended: says so in the ledger, then destroys its private half.</summary>
    private async Task<Rejection?> FinishAsync(string? reason, CommandContext context)
    {
        foreach (var key in (await KeysAsync(CancellationToken.None).ConfigureAwait(false)).Where(key => key.Until is not null && File.Exists(Log.Keys.PathOf(key.Key))))
        {
            if (await SendAsync(at => new RetireAnchorKey(key.Id, key.Until!.Value, reason, at), context).ConfigureAwait(false) is { } rejection)
            {
                return rejection;
            }

            Log.Keys.Destroy(key.Key);
        }

        return null;
    }

    // A key is known to the public from the first checkpoint on that it may have signed.
    private async Task<Instant> SinceAsync(LogKeyRecord key, CancellationToken cancellationToken) =>
        (await Log.Store.FirstFromAsync(Log.Epoch, key.From, cancellationToken).ConfigureAwait(false))?.At ?? clock.GetCurrentInstant();

    private async Task<Rejection?> SendAsync(Func<Instant, CustodyCommand> command, CommandContext context) => (await writer.SubmitAsync(
        Operation.On(CustodyDecider.Decider, LogCustody.Fold.Of(LogCustody.Stream), command), context, CancellationToken.None).ConfigureAwait(false)).Rejection;
}
