using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Host.Governance;
using Mbp.Host.Markets;
using Mbp.Ledger.Writing;
using Mbp.Policies;

namespace Mbp.Host.Platform;

/// <summary>Publishes the built-in templates and rule sets once this process is the writer; those that are there already stay as they are.</summary>
internal sealed class LedgerSeeder(LedgerWriter writer, Database database, ILogger<LedgerSeeder> log) : BackgroundService
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Done when they are there, or when another process is the writer and sees to it.</summary>
    public Task Done => _done.Task;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (writer.IsWriter)
                {
                    foreach (var template in TemplateCatalogue.BuiltIn)
                    {
                        await writer.SubmitAsync(TemplateEndpoints.Seed(template), CommandContext.ForWorker("templates"), stoppingToken).ConfigureAwait(false);
                    }

                    // By the host's own key: they came with it. A host that has none says so by leaving them unsigned.
                    var signer = await database.Log.SignerAsync(stoppingToken).ConfigureAwait(false);
                    foreach (var policy in BuiltInPolicies.All)
                    {
                        var signature = signer is null ? "" : RulesetNote.Of(policy).Sign(signer);
                        await writer.SubmitAsync(RulesetEndpoints.Seed(policy, signature), CommandContext.ForWorker("rulesets"), stoppingToken).ConfigureAwait(false);
                    }

                    _done.TrySetResult();
                    return;
                }

                if (writer.OtherHolder is not null)
                {
                    _done.TrySetResult();
                }
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                Log.WorkerTrouble(log, e, "the built-in templates and rule sets");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), stoppingToken).ConfigureAwait(false);
        }
    }
}
