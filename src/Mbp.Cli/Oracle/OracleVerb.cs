using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Cli.Api;
using Mbp.Cli.Files;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Ledger.Log;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Cli.Oracle;

/// <summary><c>mbp oracle keygen</c>, <c>report</c> and <c>ruling</c>: what a source or a judge does with a key of the own.</summary>
internal static class OracleVerb
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create() => new("oracle", "Signs what a registered source reports, or a judge rules.") { Keygen(), Report(), Ruling() };

    private static Command Keygen()
    {
        var file = new Argument<string>("file") { Description = "Where the private key goes (PKCS#8, mode 0600); it must not be there yet." };
        var command = new Command("keygen", "Makes a key, and prints its public half as a rule set names it.") { file };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var key = Ed25519PrivateKey.Create();
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            var stream = new FileStream(parsed.GetRequiredValue(file), options);
            await using (stream.ConfigureAwait(false))
            {
                await stream.WriteAsync(Encoding.ASCII.GetBytes(key.ToPem()), cancellationToken).ConfigureAwait(false);
            }

            await parsed.InvocationConfiguration.Output.WriteLineAsync($"key: {Convert.ToBase64String(key.PublicKey.Span)}").ConfigureAwait(false);
            return 0;
        });
        return command;
    }

    private static Command Report()
    {
        var (key, source, market) = (Key(), new Option<string>("--source") { Description = "The source's id in the rule set.", Required = true }, Market());
        var round = new Option<int>("--round") { Description = "The market's present round.", DefaultValueFactory = _ => 1 };
        var (value, evidence) = (Value(), new Option<string>("--evidence") { Description = "A hash or a link.", Required = true });
        var observed = new Option<string?>("--observed-at") { Description = "When the source saw it, UTC; now otherwise." };
        var host = new HostConnection();
        var command = new Command("report", "Signs a report and sends it.") { key, source, market, round, value, evidence, observed };
        host.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var text = parsed.GetValue(observed) ?? InstantPattern.ExtendedIso.Format(SystemClock.Instance.GetCurrentInstant());
            var seen = InstantPattern.ExtendedIso.Parse(text) is { Success: true, Value: var at } ? at : throw new EnvironmentException($"--observed-at: '{text}' is no UTC instant such as 2026-12-31T23:59:59Z.");
            var (id, said, backing) = (parsed.GetRequiredValue(market), parsed.GetRequiredValue(value), parsed.GetRequiredValue(evidence));
            using var signer = await LoadAsync(parsed.GetRequiredValue(key), cancellationToken).ConfigureAwait(false);
            return await SendAsync(parsed, host, $"/v2/markets/{Uri.EscapeDataString(id)}/resolution/reports", new
            {
                source = parsed.GetRequiredValue(source), round = parsed.GetValue(round), value = said, observedAt = InstantPattern.ExtendedIso.Format(seen), evidence = backing,
                signature = Sign(signer, Statement.Report(new MarketId(id), parsed.GetValue(round), said, seen, backing)),
            }, cancellationToken).ConfigureAwait(false);
        });
        return command;
    }

    private static Command Ruling()
    {
        var (key, judge, market) = (Key(), new Option<string>("--judge") { Description = "The judge's id in the rule set.", Required = true }, Market());
        var dispute = new Option<int>("--dispute") { Description = "The dispute's number.", DefaultValueFactory = _ => 1 };
        var (value, evidence) = (Value(), new Option<string>("--evidence") { Description = "An absolute URI.", Required = true });
        var host = new HostConnection();
        var command = new Command("ruling", "Signs a ruling and sends it.") { key, judge, market, dispute, value, evidence };
        host.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (id, said, backing) = (parsed.GetRequiredValue(market), parsed.GetRequiredValue(value), parsed.GetRequiredValue(evidence));
            using var signer = await LoadAsync(parsed.GetRequiredValue(key), cancellationToken).ConfigureAwait(false);
            var path = string.Create(CultureInfo.InvariantCulture, $"/v2/markets/{Uri.EscapeDataString(id)}/resolution/disputes/{parsed.GetValue(dispute)}/rulings");
            return await SendAsync(parsed, host, path, new
            {
                judge = parsed.GetRequiredValue(judge), value = said, evidenceUri = backing, signature = Sign(signer, Statement.Ruling(new MarketId(id), parsed.GetValue(dispute), said, backing)),
            }, cancellationToken).ConfigureAwait(false);
        });
        return command;
    }

    private static async Task<int> SendAsync(ParseResult parsed, HostConnection host, string path, object body, CancellationToken cancellationToken)
    {
        using var api = host.Client(parsed);
        var answer = await api.PostAsync(path, $"cli:{Guid.CreateVersion7():N}", body, cancellationToken).ConfigureAwait(false);
        await parsed.InvocationConfiguration.Output.WriteLineAsync(answer.Body.ToJsonString(Indented)).ConfigureAwait(false);
        return answer.IsOk ? 0 : 1;
    }

    private static async Task<Ed25519PrivateKey> LoadAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            return Ed25519PrivateKey.FromPem(await File.ReadAllTextAsync(file, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception e) when (e is LogFormatException or ArgumentException or FormatException)
        {
            throw new EnvironmentException($"{file} holds no Ed25519 key: {e.Message}");
        }
    }

    private static string Sign(Ed25519PrivateKey key, string statement) => Convert.ToBase64String(key.Sign(Encoding.UTF8.GetBytes(statement)));

    private static Option<string> Key() => new("--key") { Description = "The private key's file (PKCS#8).", Required = true };

    private static Option<string> Market() => new("--market") { Description = "The market's id.", Required = true };

    private static Option<string> Value() => new("--value") { Description = "An outcome's name, a number, INVALID or TOO_EARLY.", Required = true };
}
