using System.CommandLine;
using System.Text.Json;
using Mbp.Cli.Anchoring;
using Mbp.Cli.Api;
using Mbp.Cli.Auditing;
using Mbp.Cli.Files;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Policies;
using Mbp.Policies.Golden;

namespace Mbp.Cli.Rulesets;

/// <summary><c>mbp ruleset ...</c>: rule sets as data, from the file to the market and back (C20; docs/runbooks/rulesets.md).</summary>
internal static class RulesetVerb
{
    /// <summary>The signature of a file lies beside it.</summary>
    public const string SignatureEnding = ".sig";

    public static Command Create() => new("ruleset", "The rules that markets trade, halt and resolve by.")
    {
        Lint(), Hash(), Test(), Sign(), PublishVerb.Publish(), PublishVerb.List(), ActivateVerb.Activate(), ActivateVerb.RollBack(), DryRunVerb.Create(), VerifyVerb.Create(),
    };

    /// <summary>The rule set of a file that must be good: faults go to standard error, and the answer is null.</summary>
    public static async Task<Policy?> ReadAsync(string file, CancellationToken cancellationToken)
    {
        var reading = PolicyFile.Read(await TextAsync(file, cancellationToken).ConfigureAwait(false));
        foreach (var fault in reading.Faults)
        {
            await Console.Error.WriteLineAsync($"{file}: {fault}").ConfigureAwait(false);
        }

        return reading.Policy;
    }

    public static async Task<string> TextAsync(string file, CancellationToken cancellationToken) =>
        File.Exists(file) ? await File.ReadAllTextAsync(file, cancellationToken).ConfigureAwait(false) : throw new EnvironmentException($"{file} does not exist.");

    public static Argument<string> FileArgument() => new("file") { Description = "A rule set, such as specs/policies/default/v1.1.0.yml." };

    private static Command Lint()
    {
        var (file, json) = (FileArgument(), LedgerOptions.Json());
        var lint = new Command("lint", "Says everything that is wrong with a rule set, each with its line; its hash, where nothing is.") { file, json };
        lint.SetAction(async (parsed, cancellationToken) =>
        {
            var name = parsed.GetRequiredValue(file);
            var (policy, faults) = PolicyFile.Read(await TextAsync(name, cancellationToken).ConfigureAwait(false));
            await parsed.InvocationConfiguration.Output.WriteLineAsync(parsed.GetValue(json)
                ? JsonSerializer.Serialize(
                    new { file = name, holds = policy is not null, name = policy?.Rules.Name, version = policy?.Rules.Version, hash = policy?.Hash, faults }, Importing.ImportReport.Json)
                : policy is not null ? $"ok {policy} {policy.Hash}"
                : $"{string.Join('\n', faults.Select(fault => $"{name}: {fault}"))}\n{faults.Count} {(faults.Count == 1 ? "fault" : "faults")}").ConfigureAwait(false);
            return policy is null ? 1 : 0;
        });
        return lint;
    }

    private static Command Hash()
    {
        var file = FileArgument();
        var text = new Option<bool>("--text") { Description = "Print the text that is hashed instead." };
        var hash = new Command("hash", "The policy hash: SHA-256 of the rule set in its one spelling (RFC 8785).") { file, text };
        hash.SetAction(async (parsed, cancellationToken) =>
        {
            if (await ReadAsync(parsed.GetRequiredValue(file), cancellationToken).ConfigureAwait(false) is not { } policy)
            {
                return 1;
            }

            await parsed.InvocationConfiguration.Output.WriteLineAsync(parsed.GetValue(text) ? policy.Text : policy.Hash).ConfigureAwait(false);
            return 0;
        });
        return hash;
    }

    private static Command Test()
    {
        var (file, json) = (FileArgument(), LedgerOptions.Json());
        var golden = new Argument<string?>("golden") { Description = "Its cases; vX.Y.Z.golden.yml beside the file if not given.", Arity = ArgumentArity.ZeroOrOne };
        var test = new Command("test", "Decides the golden cases beside a rule set under it, and compares.") { file, golden, json };
        test.SetAction(async (parsed, cancellationToken) =>
        {
            var name = parsed.GetRequiredValue(file);
            if (await ReadAsync(name, cancellationToken).ConfigureAwait(false) is not { } policy)
            {
                return 1;
            }

            IReadOnlyList<GoldenResult> results;
            try
            {
                results = GoldenFile.Run(policy, await TextAsync(parsed.GetValue(golden) ?? Path.ChangeExtension(name, ".golden.yml"), cancellationToken).ConfigureAwait(false));
            }
            catch (FormatException e)
            {
                throw new EnvironmentException(e.Message);
            }

            var failed = results.Count(result => result.Difference is not null);
            await parsed.InvocationConfiguration.Output.WriteLineAsync(parsed.GetValue(json)
                ? JsonSerializer.Serialize(new { name = policy.Rules.Name, version = policy.Rules.Version, hash = policy.Hash, passed = results.Count - failed, failed, cases = results }, Importing.ImportReport.Json)
                : $"{string.Join('\n', results)}\n{results.Count - failed} passed, {failed} failed under {policy}").ConfigureAwait(false);
            return failed == 0 ? 0 : 1;
        });
        return test;
    }

    private static Command Sign()
    {
        var (file, host, postgres) = (FileArgument(), new HostConnection(), LedgerOptions.Postgres());
        var sign = new Command("sign", "Signs a rule set's checksum with the key of the public log, and writes FILE.sig.") { file, postgres };
        host.AddTo(sign);
        sign.SetAction(async (parsed, cancellationToken) =>
        {
            var name = parsed.GetRequiredValue(file);
            if (await ReadAsync(name, cancellationToken).ConfigureAwait(false) is not { } policy)
            {
                return 1;
            }

            await using var database = await LedgerAccess.OpenAsync(host.Data(parsed), parsed.GetValue(postgres), cancellationToken).ConfigureAwait(false);
            await using var log = await AnchorVerb.LogAsync(database, host.Data(parsed), cancellationToken).ConfigureAwait(false);
            var signer = await log.SignerAsync(cancellationToken).ConfigureAwait(false)
                ?? throw new EnvironmentException($"No key of {log.Origin} that is in force has its private half in {log.Keys.Folder}.");
            await File.WriteAllTextAsync(name + SignatureEnding, RulesetNote.Of(policy).Sign(signer), cancellationToken).ConfigureAwait(false);
            await parsed.InvocationConfiguration.Output.WriteLineAsync($"signed {policy} {policy.Hash}\nby     {signer.Key}\ninto   {name}{SignatureEnding}").ConfigureAwait(false);
            return 0;
        });
        return sign;
    }
}
