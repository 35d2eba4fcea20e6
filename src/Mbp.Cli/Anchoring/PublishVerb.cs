using System.CommandLine;
using Mbp.Cli.Files;
using Mbp.Ledger.Postgres.Log;
using Mbp.Ledger.Postgres.Log.Anchors;

namespace Mbp.Cli.Anchoring;

/// <summary><c>mbp anchor publish KIND...</c>: leaves the newest checkpoint at the anchors of these kinds, now.</summary>
internal static class PublishVerb
{
    public static Command Create()
    {
        var kinds = new Argument<string[]>("KIND") { Description = string.Join(", ", AnchorSetting.Kinds), Arity = ArgumentArity.OneOrMore };
        var gate = new Option<string>("--gate") { Description = "What a git tag is for: anchor-GATE-ROOT.", DefaultValueFactory = _ => "release" };
        var options = new AnchorOptions();
        var publish = new Command("publish", "Leaves the newest checkpoint elsewhere and keeps the receipts.") { kinds, gate };
        options.AddTo(publish);
        publish.SetAction(async (parsed, cancellationToken) =>
        {
            var anchors = options.Anchors(parsed, parsed.GetValue(kinds)!.ToHashSet(StringComparer.Ordinal), parsed.GetValue(gate)!);
            if (anchors.OfType<MissingAnchor>().FirstOrDefault() is { } missing)
            {
                // Before anything is published, and without a ledger.
                return await SayAsync(parsed, () => missing.PublishAsync(null!, cancellationToken)).ConfigureAwait(false);
            }

            await using var ledger = await options.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            await using var store = new AnchorStore(ledger.Connections);
            var latest = await store.LatestAsync(cancellationToken).ConfigureAwait(false) ?? throw new EnvironmentException("The log has no checkpoint yet.");
            var code = 0;
            foreach (var anchor in anchors)
            {
                code = Math.Max(code, await SayAsync(parsed, async () =>
                {
                    var receipt = await AnchorRounds.PublishAsync(store, anchor, latest, cancellationToken).ConfigureAwait(false);
                    await parsed.InvocationConfiguration.Output.WriteLineAsync($"{anchor.Kind}: size {latest.Size}, root {latest.Root}, {receipt.Ref}").ConfigureAwait(false);
                }).ConfigureAwait(false));
            }

            return code;
        });
        return publish;
    }

    // One anchor that is away does not keep the others from getting their checkpoint.
    private static async Task<int> SayAsync(ParseResult parsed, Func<Task> publish)
    {
        try
        {
            await publish().ConfigureAwait(false);
            return 0;
        }
        catch (AnchorException e)
        {
            await parsed.InvocationConfiguration.Error.WriteLineAsync($"mbp: {e.Message}").ConfigureAwait(false);
            return 2;
        }
    }
}
