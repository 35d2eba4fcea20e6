using System.CommandLine;
using Mbp.Cli.Api;

namespace Mbp.Cli.Auditing;

/// <summary>Where the ledger is, and in which form the answer comes: shared by the verbs that open the database.</summary>
internal sealed class LedgerOptions
{
    private readonly Option<string?> _postgres = Postgres();
    private readonly Option<bool> _json = Json();

    /// <summary>For the verbs that talk to the host as well.</summary>
    public HostConnection Host { get; } = new();

    public static Option<string?> Postgres() => new("--postgres") { Description = "The database, where it is not the data folder's." };

    public static Option<bool> Json() => new("--json") { Description = "One JSON object." };

    public LedgerOptions AddTo(Command command)
    {
        command.Options.Add(_postgres);
        command.Options.Add(_json);
        Host.AddTo(command);
        return this;
    }

    public string Data(ParseResult parsed) => Host.Data(parsed);

    public Task<LedgerAccess> OpenAsync(ParseResult parsed, CancellationToken cancellationToken) => LedgerAccess.OpenAsync(Data(parsed), parsed.GetValue(_postgres), cancellationToken);

    public Task SayAsync(ParseResult parsed, Func<string> json, Func<string> text) => parsed.InvocationConfiguration.Output.WriteLineAsync(parsed.GetValue(_json) ? json() : text());
}
