using System.CommandLine;

namespace Mbp.Cli.Conformance;

/// <summary><c>mbp conformance FILE.json</c>.</summary>
public static class ConformanceVerb
{
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "A file of conformance cases (JSON)." };
        var command = new Command("conformance", "Runs conformance cases against the domain code.") { file };
        command.SetAction(parsed => ConformanceFile.Run(parsed.GetRequiredValue(file), parsed.InvocationConfiguration.Output));
        return command;
    }
}
