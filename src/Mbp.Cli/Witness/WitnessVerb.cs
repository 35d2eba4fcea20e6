using System.CommandLine;
using Mbp.Cli.Files;
using Mbp.Ledger.Log;
using NodaTime;

namespace Mbp.Cli.Witness;

/// <summary><c>mbp witness</c>: a witness for any log of the C2SP kind, ours or another's. It wants a machine and an operator of its own.</summary>
internal static class WitnessVerb
{
    public static Command Create()
    {
        var listen = new Option<string>("--listen") { Description = "Where to listen; several separated by semicolons.", DefaultValueFactory = _ => "http://127.0.0.1:7380" };
        var store = new Option<string>("--store") { Description = "The witness's folder: its key and what it signed last. Made at the first start.", Required = true };
        var log = new Option<string[]>("--log") { Description = "A verifier key of a log to watch, as its /log/vkeys shows it; may be given again.", Required = true };
        var name = new Option<string?>("--name") { Description = "The witness's name, at the first start (witness.localhost)." };
        var witness = new Command("witness", "Signs checkpoints of logs as long as each extends the one before; runs until it is stopped.") { listen, store, log, name };
        witness.SetAction(async (parsed, cancellationToken) =>
        {
            var logs = parsed.GetValue(log)!.Select(LogKey).Distinct().ToList();
            using var folder = Opened(parsed.GetValue(store)!, parsed.GetValue(name));
            await using var app = WitnessServer.Build(new LogWitness(folder, logs, SystemClock.Instance), Addresses(parsed.GetValue(listen)!));
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
            var output = parsed.InvocationConfiguration.Output;
            await output.WriteLineAsync($"{folder.Key}\nlistens on {string.Join(' ', app.Urls)}; watches {string.Join(", ", logs.Select(key => key.Name).Distinct())}").ConfigureAwait(false);
            await output.FlushAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // Asked to stop.
            }

            await app.StopAsync(CancellationToken.None).ConfigureAwait(false);
            return 0;
        });
        return witness;
    }

    private static WitnessStore Opened(string folder, string? name)
    {
        try
        {
            return WitnessStore.Open(folder, name);
        }
        catch (Exception e) when (e is Ed25519UnavailableException or LogFormatException)
        {
            throw new EnvironmentException(e.Message);
        }
    }

    private static VerifierKey LogKey(string text)
    {
        if (!VerifierKey.TryParse(text, out var key) || key.Type != VerifierKey.Ed25519Type)
        {
            throw new EnvironmentException($"'{text}' is no verifier key of a log (type 0x01).");
        }

        return key;
    }

    private static string Addresses(string urls) => urls.Split(';').All(url => Uri.TryCreate(url, UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https")
        ? urls
        : throw new EnvironmentException($"--listen takes addresses such as http://127.0.0.1:7380, not '{urls}'.");
}
