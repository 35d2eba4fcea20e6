using System.Collections.Immutable;
using System.IO.Compression;
using System.Text.Json;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Host.Payments;
using Mbp.Ledger;
using Mbp.Ledger.Json;
using NodaTime;

namespace Mbp.Host.Platform;

/// <summary>
/// The read models in a file of the data folder, so that a start folds only what came after it. It is a cache and never believed for more: made
/// by the very same build, packed with a checksum, and of this ledger (its last event is there, at that position and time) or it is passed over.
/// </summary>
internal sealed class ViewCheckpoint(MbpOptions options, IEventStore store, ILogger<ViewCheckpoint> log) : IDisposable
{
    // Whatever changes a fold or the shape of a state is another build, and another build has other ids.
    private static readonly string Build = $"{typeof(LedgerView).Module.ModuleVersionId:n}-{typeof(Market).Module.ModuleVersionId:n}";

    // The keeper writes it, and so does an erasure.
    private readonly SemaphoreSlim _writing = new(1);
    private readonly string _path = Path.Combine(options.Data, "read-models.json.gz");

    /// <summary>False where nothing is kept: a throw-away ledger has no second start.</summary>
    public bool IsKept => !options.Ephemeral;

    public async Task SaveAsync(LedgerView view, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var next = $"{_path}.tmp";
            await using (var file = new FileStream(next, OnlyOurs()))
            await using (var packed = new GZipStream(file, CompressionLevel.Fastest))
            {
                await JsonSerializer.SerializeAsync(packed, Saved.Of(view), LedgerJson.Options, cancellationToken).ConfigureAwait(false);
            }

            File.Move(next, _path, overwrite: true);
        }
        finally
        {
            _writing.Release();
        }
    }

    public void Dispose() => _writing.Dispose();

    /// <summary>The view to go on from; the empty one where there is no file that can be trusted.</summary>
    public async Task<LedgerView> LoadAsync(CancellationToken cancellationToken)
    {
        if (!IsKept || !File.Exists(_path))
        {
            return LedgerView.Empty;
        }

        try
        {
            Saved saved;
            await using (var file = File.OpenRead(_path))
            await using (var unpacked = new GZipStream(file, CompressionMode.Decompress))
            {
                saved = await JsonSerializer.DeserializeAsync<Saved>(unpacked, LedgerJson.Options, cancellationToken).ConfigureAwait(false) ?? throw new JsonException("It is null.");
            }

            if (saved.Build == Build && await IsOfThisLedgerAsync(saved, cancellationToken).ConfigureAwait(false))
            {
                return saved.ToView();
            }

            Log.CheckpointPassedOver(log, null, "it is of another build or another ledger");
        }
        catch (Exception e) when (e is not (OperationCanceledException or Npgsql.NpgsqlException))
        {
            // Whatever is in it: a cache is no reason not to start.
            Log.CheckpointPassedOver(log, e, "it is damaged");
        }

        return LedgerView.Empty;
    }

    // It has balances and the hashes of keys in it.
    private static FileStreamOptions OnlyOurs()
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return options;
    }

    private async Task<bool> IsOfThisLedgerAsync(Saved saved, CancellationToken cancellationToken)
    {
        await foreach (var stored in store.ReadRangeAsync(saved.Position - 1, saved.Position, cancellationToken).ConfigureAwait(false))
        {
            // Ledger time grows with every command: two ledgers do not share one at a position.
            return stored.At == saved.At;
        }

        return false;
    }

    private sealed record Saved(
        string Build,
        long Position,
        Instant At,
        string GrantedUnits,
        ImmutableList<KeyValuePair<string, MarketView>> Markets,
        ImmutableList<string> MarketsInOrder,
        ImmutableList<KeyValuePair<string, AccountView>> Accounts,
        ImmutableList<KeyValuePair<string, IssuedKey>> KeysByHash,
        ImmutableList<Template> Templates,
        ImmutableList<KeyValuePair<string, RulesetLibrary>> Rulesets,
        SloPolicy Slo,
        ImmutableList<KeyValuePair<string, OracleFeed>> Oracles,
        string OnTheWayUnits,
        string PaidOutUnits,
        ImmutableList<KeyValuePair<string, OpenPayout>> Payouts)
    {
        public static Saved Of(LedgerView view) => new(
            ViewCheckpoint.Build, view.Position, view.At, view.GrantedUnits.ToString(null, null),
            [.. view.Markets], view.MarketsInOrder, [.. view.Accounts.Select(a => KeyValuePair.Create(a.Key.Value, a.Value))], [.. view.KeysByHash], [.. view.Templates.Values], [.. view.Rulesets],
            view.Slo, [.. view.Oracles], view.Payouts.OnTheWayUnits.ToString(null, null), view.Payouts.PaidOutUnits.ToString(null, null), [.. view.Payouts.Open]);

        public LedgerView ToView()
        {
            var empty = LedgerView.Empty;
            return new LedgerView(
                Position, At, Int128.Parse(GrantedUnits, null),
                empty.Markets.AddRange(Markets),
                MarketsInOrder,
                empty.Accounts.AddRange(Accounts.Select(a => KeyValuePair.Create(
                    new AccountId(a.Key), a.Value with { Markets = a.Value.Markets.WithComparers(StringComparer.Ordinal) }))),
                empty.KeysByHash.AddRange(KeysByHash),
                empty.Templates.AddRange(Templates.Select(t => KeyValuePair.Create(t.Id, t))),
                empty.Rulesets.AddRange(Rulesets),
                empty.Due.Union(Markets.Where(m => m.Value.DueAt is not null).Select(m => (m.Value.DueAt!.Value, m.Key))))
            {
                Slo = Slo,
                Oracles = empty.Oracles.AddRange(Oracles),
                Payouts = PayoutView.Of(Int128.Parse(OnTheWayUnits, null), Int128.Parse(PaidOutUnits, null), Payouts),
            };
        }
    }
}

/// <summary>Keeps the checkpoint of the read models near their position, and writes it once more when the host stops.</summary>
internal sealed class ViewKeeper(ViewCheckpoint checkpoint, LiveLedger live, ILogger<ViewKeeper> log) : BackgroundService
{
    // What a start may have to fold again: a second's work.
    private const int WorthSaving = 10_000;

    // Writing takes time from trades; it may take a twentieth of it.
    private const int PausePerWork = 20;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(2);

    private long _saved;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!checkpoint.IsKept)
        {
            return;
        }

        var pause = ShortestPause;
        try
        {
            await live.CaughtUp.WaitAsync(stoppingToken).ConfigureAwait(false);
            _saved = live.StartedAt;
            while (true)
            {
                await Task.Delay(pause, stoppingToken).ConfigureAwait(false);
                if (live.Current.Position - _saved >= WorthSaving)
                {
                    var began = TimeProvider.System.GetTimestamp();
                    await SaveAsync(stoppingToken).ConfigureAwait(false);
                    pause = TimeSpan.FromTicks(Math.Max(ShortestPause.Ticks, PausePerWork * TimeProvider.System.GetElapsedTime(began).Ticks));
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            if (live.CaughtUp.IsCompletedSuccessfully && live.Current.Position > _saved)
            {
                await SaveAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    private async Task SaveAsync(CancellationToken cancellationToken)
    {
        var view = live.Current;
        try
        {
            await checkpoint.SaveAsync(view, cancellationToken).ConfigureAwait(false);
            _saved = view.Position;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.WorkerTrouble(log, e, "the checkpoint of the read models");
        }
    }
}
