using System.CommandLine;
using Mbp.Verify.Sites;

namespace Mbp.Verify.Verbs;

/// <summary>The whole command.</summary>
internal static class VerifyCommand
{
    // Exit codes: 0 = it holds; 1 = the log (or what was given) is at fault; 2 = the question could not be asked or decided.
    private const int CannotAsk = 2;

    private static readonly Dictionary<string, Func<Command>> Verbs = new(StringComparer.Ordinal)
    {
        ["log"] = LogVerb.Create, ["receipt"] = ReceiptVerb.Create, ["proof"] = ProofVerb.Create, ["event"] = EventVerb.Create, ["market"] = MarketVerb.Create,
        ["consistency"] = ConsistencyVerb.Create, ["evidence"] = EvidenceVerb.Create,
    };

    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        var root = new RootCommand("Verifies the public log of MBP: offline, without a database, trusting nothing but a verifier key.");
        // The verb that was asked for, all of them where none was: to make the others takes as long as to check a receipt.
        foreach (var create in args is [var name, ..] && Verbs.TryGetValue(name, out var asked) ? [asked] : Verbs.Values.ToArray())
        {
            root.Subcommands.Add(create());
        }

        var parsed = root.Parse(args);
        try
        {
            // Nothing here has to be put in order before it is ended.
            var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = output, Error = error };
            var result = await parsed.InvokeAsync(configuration).ConfigureAwait(false);
            return parsed.Errors.Count > 0 ? CannotAsk : result;
        }
        catch (Exception e) when (e is CannotAskException or IOException or UnauthorizedAccessException or OperationCanceledException)
        {
            await error.WriteLineAsync($"verify_anchor: {e.Message}").ConfigureAwait(false);
            return CannotAsk;
        }
    }
}
