using System.CommandLine;
using Mbp.Ledger.Postgres.Log;
using Mbp.Ledger.Postgres.Log.Anchors;

namespace Mbp.Cli.Anchoring;

/// <summary><c>mbp anchor verify</c>: every kept receipt against the checkpoint that it is for.</summary>
internal static class VerifyVerb
{
    public static Command Create()
    {
        var kinds = new Argument<string[]>("KIND") { Description = "Only these kinds.", Arity = ArgumentArity.ZeroOrMore };
        var options = new AnchorOptions();
        var verify = new Command("verify", "Verifies the receipts: 0 = all good, 1 = one is not, 2 = one could not be checked.") { kinds };
        options.AddTo(verify);
        verify.SetAction(async (parsed, cancellationToken) =>
        {
            var asked = parsed.GetValue(kinds) is { Length: > 0 } some ? some : [.. AnchorSetting.Kinds];
            var anchors = options.Anchors(parsed, asked, "release");
            await using var ledger = await options.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            await using var store = new AnchorStore(ledger.Connections);
            var kept = (await store.AnchorsAsync(cancellationToken).ConfigureAwait(false)).Where(anchor => asked.Contains(anchor.Kind)).ToList();
            var (good, bad, unknown) = (0, 0, 0);
            foreach (var one in kept)
            {
                string said;
                try
                {
                    // A place that is not configured any more is one that cannot be asked.
                    var anchor = anchors.FirstOrDefault(anchor => anchor.Kind == one.Kind && one.Ref.StartsWith(anchor.Place, StringComparison.Ordinal))
                                 ?? throw new AnchorNotConfiguredException($"{one.Kind} at {one.Ref} is not configured.");
                    var verdict = await AnchorRounds.VerifyAsync(store, anchor, one, cancellationToken).ConfigureAwait(false);
                    said = verdict.Holds ? "ok" : $"FAIL {verdict}";
                    _ = verdict.Holds ? good++ : bad++;
                }
                catch (AnchorException e)
                {
                    said = $"not checked: {e.Message}";
                    unknown++;
                }

                await parsed.InvocationConfiguration.Output.WriteLineAsync($"{one.Kind} size {one.Size} {one.Ref}: {said}").ConfigureAwait(false);
            }

            await parsed.InvocationConfiguration.Output.WriteLineAsync($"{good} good, {bad} bad, {unknown} not checked").ConfigureAwait(false);
            return bad > 0 ? 1 : unknown > 0 ? 2 : 0;
        });
        return verify;
    }
}
