using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Cli.Anchoring;
using Mbp.Cli.Auditing;
using Mbp.Ledger;
using Mbp.Ledger.Log;

namespace Mbp.Cli.Rulesets;

/// <summary><c>mbp ruleset verify</c>: S3.INV5. Two machines that print the same digest decided the same, to the byte.</summary>
internal static class VerifyVerb
{
    public static Command Create()
    {
        var verify = new Command("verify", "Decides every decision of the ledger that names its rule set again, and compares the events byte by byte.");
        var ledger = new LedgerOptions().AddTo(verify);
        verify.SetAction(async (parsed, cancellationToken) =>
        {
            await using var database = await ledger.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            await using var log = await AnchorVerb.LogAsync(database, ledger.Data(parsed), cancellationToken).ConfigureAwait(false);
            var keys = new List<VerifierKey>();
            // A key that was retired since has signed all the same.
            for (var epoch = 1; epoch <= log.Epoch; epoch++)
            {
                keys.AddRange((await log.Store.KeysAsync(epoch, cancellationToken).ConfigureAwait(false)).Select(key => key.Key));
            }

            var run = new RulesetVerification(keys);
            var head = await database.Store.HeadAsync(cancellationToken).ConfigureAwait(false);
            await Importing.Progress.ShowAsync("events", head, () => run.Audit.Position, GoAsync()).ConfigureAwait(false);
            run.Finish();
            await ledger.SayAsync(parsed, () => ToJson(run), () => ToText(run)).ConfigureAwait(false);
            return run.Holds ? 0 : 1;

            async Task GoAsync()
            {
                try
                {
                    await foreach (var command in LedgerCommands.ReadAsync(database.Store, head, cancellationToken).ConfigureAwait(false))
                    {
                        run.Observe(command);
                    }
                }
                catch (Exception e) when (e is UnknownEventTypeException or UnreadableEventException)
                {
                    // Nothing after it can be vouched for.
                    run.Stopped = e.Message;
                }
            }
        });
        return verify;
    }

    private static string ToText(RulesetVerification run)
    {
        var text = new StringBuilder();
        foreach (var (hash, line) in run.ByHash)
        {
            text.Append(CultureInfo.InvariantCulture, $"{(line.Different == 0 ? "ok" : "FAIL"),-5} {hash} {line.Name,-20} {line.Same,9} decisions again the same{(line.Different == 0 ? "" : $", {line.Different} DIFFERENT")}\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"\nnot named  {run.Unnamed} decisions that name no rule set: those that no rule set has a say in, or from before rule sets were data\n");
        text.Append(CultureInfo.InvariantCulture, $"signatures {run.Signed} of {run.Signed + run.Unsigned + run.BadlySigned} published versions signed by a key of the log, {run.Unsigned} not signed, {run.BadlySigned} with a bad signature\n");
        foreach (var fault in run.Faults)
        {
            text.Append(CultureInfo.InvariantCulture, $"FAULT at position {fault.Position}: {fault.What}\n");
        }

        text.Append(run.Stopped is null ? "" : $"STOPPED after position {run.Audit.Position}: {run.Stopped}\n");
        return text.Append(CultureInfo.InvariantCulture, $"digest     {run.Digest} over {run.Events} events to position {run.Audit.Position}\n{(run.Holds ? "same rules, same events: the same decisions" : "THE DECISIONS ARE NOT THE SAME")}").ToString();
    }

    private static string ToJson(RulesetVerification run) => JsonSerializer.Serialize(
        new
        {
            position = run.Audit.Position, byHash = run.ByHash.Select(pair => new { hash = pair.Key, ruleset = pair.Value.Name, same = pair.Value.Same, different = pair.Value.Different }),
            unnamed = run.Unnamed, signed = run.Signed, unsigned = run.Unsigned, badlySigned = run.BadlySigned, faults = run.Faults, stopped = run.Stopped,
            events = run.Events, digest = run.Digest, holds = run.Holds,
        },
        Importing.ImportReport.Json);
}
