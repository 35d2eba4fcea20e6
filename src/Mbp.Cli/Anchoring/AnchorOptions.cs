using System.CommandLine;
using Mbp.Cli.Api;
using Mbp.Cli.Auditing;
using Mbp.Cli.Files;
using Mbp.Ledger.Postgres.Log.Anchors;

namespace Mbp.Cli.Anchoring;

/// <summary>Where the ledger is and where its anchors are: shared by the verbs that use them.</summary>
internal sealed class AnchorOptions
{
    private readonly HostConnection _host = new();
    private readonly Option<string?> _postgres = LedgerOptions.Postgres();
    private readonly Option<string[]> _anchors = new("--anchor")
    {
        Description = "folder=DIR, git=REPOSITORY[,push=REMOTE] or rfc3161=URL,cert=FILE; may be given again. Those in log/anchors of the data folder come on top.",
    };

    public void AddTo(Command command)
    {
        _host.AddTo(command);
        command.Options.Add(_postgres);
        command.Options.Add(_anchors);
    }

    public Task<LedgerAccess> OpenAsync(ParseResult parsed, CancellationToken ct) => LedgerAccess.OpenAsync(_host.Data(parsed), parsed.GetValue(_postgres), ct);

    /// <summary>The anchors of some kinds, in the order of the settings; for a kind without a setting one that says so.</summary>
    public IReadOnlyList<IAnchor> Anchors(ParseResult parsed, IReadOnlyCollection<string> kinds, string gate)
    {
        if (kinds.FirstOrDefault(kind => !AnchorSetting.Kinds.Contains(kind)) is { } unknown)
        {
            throw new EnvironmentException($"'{unknown}' is no kind of anchor; there are {string.Join(", ", AnchorSetting.Kinds)}.");
        }

        try
        {
            var file = AnchorRounds.SettingsIn(_host.Data(parsed));
            var settings = (parsed.GetValue(_anchors) ?? []).Select(AnchorSetting.Parse).Concat(AnchorSetting.Load(file)).ToList();
            return
            [
                .. settings.Where(setting => kinds.Contains(setting.Kind)).Select(setting => setting.Open(gate)),
                .. kinds.Where(kind => settings.All(setting => setting.Kind != kind)).Select(kind => new MissingAnchor(kind, kind is "ots" or "chain"
                    ? "this build has no client for one."
                    : $"give --anchor {kind}=..., or a line in {file} (docs/runbooks/anchors.md).")),
            ];
        }
        catch (Exception e) when (e is FormatException or AnchorException)
        {
            throw new EnvironmentException(e.Message);
        }
    }
}
