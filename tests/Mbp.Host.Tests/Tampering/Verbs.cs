using System.CommandLine;
using Mbp.Cli.Anchoring;
using Mbp.Verify.Verbs;

namespace Mbp.Host.Tests.Tampering;

/// <summary>The two commands as they are run: the operator's and the stranger's.</summary>
internal static class Verbs
{
    public static async Task<(int Exit, string Output)> MbpAsync(params string[] arguments)
    {
        await using var output = new StringWriter();
        var root = new RootCommand("mbp") { AnchorVerb.Create() };
        var exit = await root.Parse(arguments).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, Output = output, Error = output });
        return (exit, output.ToString());
    }

    public static async Task<(int Exit, string Output)> VerifyAsync(params string[] arguments)
    {
        await using var output = new StringWriter();
        return (await VerifyCommand.RunAsync(arguments, output, output), output.ToString());
    }
}
