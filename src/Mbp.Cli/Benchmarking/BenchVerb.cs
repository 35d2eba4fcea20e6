using System.CommandLine;
using Mbp.Cli.Files;

namespace Mbp.Cli.Benchmarking;

/// <summary>
/// <c>mbp bench ...</c>: runs the benchmark program from the source tree, after building it if need be. It is no part of the product, so the
/// product's command carries none of it.
/// </summary>
internal static class BenchVerb
{
    private const string Project = "tests/Mbp.Benchmarks";

    public static Command Create() => new("bench", "Measures; the report is one JSON object on standard output.")
    {
        Verb("write", "Trades over HTTP beside a naive way, and the append path beside COPY: [--seconds 60]."),
        Verb("anchor", "The product with and without its public log, how soon a trade is provable, the deep check: [--seconds 30]."),
        Verb("protect", "What caps, halts and abuse rules cost, honest traders beside a hostile one, the ticks of many markets: [--seconds 30] [--markets 10000]."),
        Verb("settle", "A market of many accounts settles while others trade and many deadlines fall: [--accounts 100000] [--rate 200] [--markets 1000]."),
        Verb("soak", "A fixed rate for a long time: [--rate 120] [--minutes 60] [--markets 32] [--out DIR]."),
        Verb("inner", "The parts of the write path, one by one (BenchmarkDotNet): [--filter NAME]."),
        Verb("rebuild", "Every read model from a large ledger, beside a bare read of it: [--events 1000000] [--rounds 3] [--data DIR]."),
        Verb("stream", "Followers of the event stream while trades come in: [--clients 2000] [--rate 500] [--seconds 30]."),
        Verb("page", "Markets' whole pages at a fixed rate while trades go in: [--reads 1000] [--trades 500] [--seconds 30]."),
        Verb("lag", "How long after its answer a trade is in every table: [--rate 2000] [--seconds 30]."),
        Verb("restart", "How soon a ledger of many events takes trades again: [--events 1000000] [--data DIR]."),
        Verb("read", "The whole ledger read, decoded and audited, beside rows only and a naive way: [--events 1000000] [--rounds 5] [--data DIR]."),
    };

    private static Command Verb(string name, string description)
    {
        // The benchmark program knows its options, and says what is wrong with them.
        var command = new Command(name, description) { TreatUnmatchedTokensAsErrors = false };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var program = await SourceTree.ProgramAsync(Project, "The benchmark program", cancellationToken).ConfigureAwait(false);
            return await SourceTree.RunAsync([program, name, .. parsed.UnmatchedTokens], toError: false, cancellationToken).ConfigureAwait(false);
        });
        return command;
    }
}
