using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Encodings.Web;
using System.Text.Json;
using Mbp.Cli.Files;
using Mbp.Domain.Governance.Rulesets;

namespace Mbp.Cli.Exercising;

/// <summary>What an exercise came to: nothing may happen without the rule, and the expected thing with it.</summary>
/// <param name="Name">Which.</param>
/// <param name="Passed">Whether both were so.</param>
/// <param name="Inject">What was done.</param>
/// <param name="Expect">What had to be seen.</param>
/// <param name="Without">The field that the rule set lacked the first time.</param>
/// <param name="Control">What was seen then.</param>
/// <param name="Observed">What was seen with the rule.</param>
/// <param name="Seconds">How long it took.</param>
internal sealed record ExerciseResult(
    string Name, bool Passed, string Inject, string Expect, string Without, Observation Control, Observation Observed, double Seconds);

/// <summary><c>mbp exercise list</c> and <c>run</c>: the fault-injection exercises of the requirements, on a real host whose clock is set forward.</summary>
internal static class ExerciseVerb
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create() => new("exercise", "Injects a fault into a real host, and says whether the expected thing happens.") { List(), Run() };

    /// <summary>Runs one: first with its rule switched off, where it must fail.</summary>
    public static async Task<ExerciseResult> RunAsync(Exercise exercise, ExerciseStage stage, CancellationToken cancellationToken)
    {
        var watch = Stopwatch.StartNew();
        var without = await stage.WithoutAsync(exercise.Field, cancellationToken).ConfigureAwait(false);
        var control = await exercise.Run(stage, without, cancellationToken).ConfigureAwait(false);
        var observed = await exercise.Run(stage, RulesetLibrary.DefaultName, cancellationToken).ConfigureAwait(false);
        return new ExerciseResult(
            exercise.Name, !exercise.Holds(control) && exercise.Holds(observed), exercise.Inject, exercise.Expect, exercise.Field, control, observed,
            Math.Round(watch.Elapsed.TotalSeconds, 1));
    }

    private static Command List()
    {
        var list = new Command("list", "The exercises, with what each injects and expects.");
        list.SetAction(async (parsed, cancellationToken) =>
        {
            foreach (var exercise in Exercises.All)
            {
                await parsed.InvocationConfiguration.Output.WriteLineAsync($"{exercise.Name}\n  inject  {exercise.Inject}\n  expect  {exercise.Expect}").ConfigureAwait(false);
            }

            return 0;
        });
        return list;
    }

    private static Command Run()
    {
        var name = new Argument<string?>("name") { Description = "Which; or --all.", Arity = ArgumentArity.ZeroOrOne };
        var all = new Option<bool>("--all") { Description = "All of them." };
        var output = new Option<string>("--out") { Description = "Where the evidence goes, a file for each.", DefaultValueFactory = _ => "out/exercises" };
        var json = new Option<bool>("--json") { Description = "The evidence on standard output, too, as one JSON array." };
        var run = new Command("run", "Starts a host with a throw-away ledger and a test clock, and runs exercises on it. Exit 1 if one fails.") { name, all, output, json };
        run.SetAction(async (parsed, cancellationToken) =>
        {
            var chosen = Exercises.All.Where(exercise => parsed.GetValue(all) || exercise.Name == parsed.GetValue(name)).ToList();
            if (chosen.Count == 0)
            {
                throw new EnvironmentException($"Name one of {string.Join(", ", Exercises.All.Select(exercise => exercise.Name))}, or give --all.");
            }

            var program = await SourceTree.ProgramAsync("src/Mbp.Host", "The host of an exercise", cancellationToken).ConfigureAwait(false);
            var results = new List<ExerciseResult>();
            await using (var host = await ExerciseHost.StartAsync(program, cancellationToken).ConfigureAwait(false))
            {
                using var stage = new ExerciseStage(host.Address, host.Data, postgres: null);
                foreach (var exercise in chosen)
                {
                    var result = await RunAsync(exercise, stage, cancellationToken).ConfigureAwait(false);
                    results.Add(result);
                    var file = Path.Combine(parsed.GetValue(output)!, $"{exercise.Name}.json");
                    Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
                    await File.WriteAllTextAsync(file, JsonSerializer.Serialize(result, Json) + "\n", cancellationToken).ConfigureAwait(false);
                    if (!parsed.GetValue(json))
                    {
                        await parsed.InvocationConfiguration.Output.WriteLineAsync(Line(result, file)).ConfigureAwait(false);
                    }
                }
            }

            if (parsed.GetValue(json))
            {
                await parsed.InvocationConfiguration.Output.WriteLineAsync(JsonSerializer.Serialize(results, Json)).ConfigureAwait(false);
            }

            return results.TrueForAll(result => result.Passed) ? 0 : 1;
        });
        return run;
    }

    private static string Line(ExerciseResult result, string file) => $"""
        {(result.Passed ? "ok  " : "FAIL")} {result.Name} ({result.Seconds} s)
             without {result.Without}: {Words(result.Control)}
             with it: {Words(result.Observed)}
             evidence in {file}
        """;

    private static string Words(Observation seen) => seen.Rule is null
        ? $"halt {seen.HaltLevel}, status {seen.Status}"
        : $"halt {seen.HaltLevel} by {seen.Rule}, status {seen.Status}, action {seen.Action}{(seen.Route is { } route ? $" to {route}" : "")}, notify {seen.Notify}, position {seen.Event?["position"]}";
}

/// <summary>A host of its own for exercises: a throw-away ledger, no quotas, a clock that can be set forward.</summary>
internal sealed class ExerciseHost : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;

    private ExerciseHost(Process process, Uri address, string data) => (_process, Address, Data) = (process, address, data);

    public Uri Address { get; }

    public string Data { get; }

    public static async Task<ExerciseHost> StartAsync(string program, CancellationToken cancellationToken)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var address = new UriBuilder("http", "127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port).Uri;
        listener.Stop();
        var data = Directory.CreateTempSubdirectory("mbp-exercise-").FullName;
        var process = Process.Start(new ProcessStartInfo(
            "dotnet", [program, "--ephemeral", "--test-clock", "--limits", "off", "--urls", address.ToString(), "--data", data]) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new EnvironmentException("The host does not start.");
        var said = new List<string>();
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var host = new ExerciseHost(process, address, data);
        using var http = new HttpClient { BaseAddress = address };
        for (var until = DateTime.UtcNow + Patience; ; await Task.Delay(100, cancellationToken).ConfigureAwait(false))
        {
            try
            {
                using var ready = await http.GetAsync(new Uri("/health/ready", UriKind.Relative), cancellationToken).ConfigureAwait(false);
                if (ready.IsSuccessStatusCode)
                {
                    return host;
                }
            }
            catch (HttpRequestException)
            {
                // It does not listen yet.
            }

            if (process.HasExited || DateTime.UtcNow > until)
            {
                await host.DisposeAsync().ConfigureAwait(false);
                lock (said)
                {
                    throw new EnvironmentException($"The host of the exercise does not get ready:\n{string.Join('\n', said.TakeLast(20))}");
                }
            }
        }

        void Keep(string? line)
        {
            lock (said)
            {
                said.Add(line ?? "");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            // In good order: its database goes with it.
            using var asked = Process.Start("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            try
            {
                await _process.WaitForExitAsync(patience.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                _process.Kill(entireProcessTree: true);
                await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }

        _process.Dispose();
        Directory.Delete(Data, recursive: true);
    }
}
