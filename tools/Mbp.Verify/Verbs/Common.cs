using System.CommandLine;
using System.Text.Json;
using Mbp.Ledger.Log;
using Mbp.Verify.Output;
using Mbp.Verify.Sites;

namespace Mbp.Verify.Verbs;

/// <summary>What every verb takes: keys, a policy, the form of the answer.</summary>
internal sealed class Common
{
    private readonly Option<string[]> _vkey = new("--vkey") { Description = "The log's verifier key (name+id+base64); may be given more than once, as after a rotation." };
    private readonly Option<string?> _vkeys = new("--vkeys") { Description = "A file of verifier keys, one a line, which you have from a source that you trust." };
    private readonly Option<string?> _policy = new("--policy") { Description = "A C2SP tlog-policy: which witnesses must have signed." };
    private readonly Option<bool> _json = new("--json") { Description = "One JSON object." };

    public Common AddTo(Command command)
    {
        command.Options.Add(_vkey);
        command.Options.Add(_vkeys);
        command.Options.Add(_policy);
        command.Options.Add(_json);
        return this;
    }

    public static Option<string?> LogOption() => new("--log") { Description = "The log: an exported folder, or https://HOST/log." };

    public Task<Trust> TrustAsync(ParseResult parsed, ISite? site, IEnumerable<string> offered, Report report, CancellationToken cancellationToken) =>
        Trust.FromAsync(parsed.GetValue(_vkey) ?? [], parsed.GetValue(_vkeys), parsed.GetValue(_policy), site, offered, report, cancellationToken);

    /// <summary>Runs a check, and says what came out; what goes wrong with the log on the way is a fault of the log.</summary>
    public async Task<int> RunAsync(ParseResult parsed, Func<Report, Task> check)
    {
        var report = new Report();
        try
        {
            await check(report).ConfigureAwait(false);
        }
        catch (LogFaultException e)
        {
            report.Fault(e);
        }
        catch (WithheldException e)
        {
            report.Fault(FaultKind.Missing, e.Message, e.Path);
        }
        catch (Exception e) when (e is LogFormatException or JsonException)
        {
            report.Fault(FaultKind.Format, e.Message);
        }

        await parsed.InvocationConfiguration.Output.WriteLineAsync(parsed.GetValue(_json) ? report.ToJson() : report.ToText()).ConfigureAwait(false);
        return report.ExitCode;
    }
}
