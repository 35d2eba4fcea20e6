using System.CommandLine;

namespace Mbp.Cli.Anchoring;

/// <summary>What <c>mbp anchor</c> can do beyond this machine: leave checkpoints elsewhere, and files under one hash.</summary>
internal static class AnchorSubcommands
{
    public static void AddTo(Command anchor)
    {
        anchor.Subcommands.Add(PublishVerb.Create());
        anchor.Subcommands.Add(VerifyVerb.Create());
        anchor.Subcommands.Add(FilesVerb.Create());
    }
}
