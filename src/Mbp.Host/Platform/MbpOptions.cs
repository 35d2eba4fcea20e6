using System.Globalization;
using Mbp.Host.Payments;
using Mbp.Host.Streaming;
using Mbp.Host.Subscriptions;
using Mbp.Ledger.Postgres.Log;
using NodaTime;

namespace Mbp.Host.Platform;

/// <summary>What the host is told on its command line.</summary>
public sealed record MbpOptions
{
    public const string Usage = """
        Mbp.Host: the API, the workers and the ledger's writer in one process.

          --urls U               where to listen (default http://127.0.0.1:5080)
          --data DIR             keys, connection strings and the embedded PostgreSQL (default ./.mbp)
          --postgres CONNECTION  use this PostgreSQL 15 or newer instead of the embedded one
          --ephemeral            a throw-away database that vanishes with the process
          --demo                 replay the bundled real trade history into markets
          --shard NAME           the ledger's shard (default main)
          --log-name NAME        whose public log it is, such as mbp.example.org; said once, at the first start
          --events operators     an event's content (/events) for operators only; public unless told otherwise
          --limits off           no request quotas, for benchmarks and tests
          --payouts-per-commit N accounts that settlements pay in one batch, two batches at a time over all markets (default 100): more is faster, fewer hold trades up less
          --log off              neither checkpoints nor receipts: to measure what they cost, and for nothing else
          --test-clock           operators may set the clock forward (POST /v2/test/clock); for exercises, with --ephemeral only
          --witness URL=VKEY     a witness that signs the log's checkpoints; may be given again
          --log-policy FILE      the witnesses of a C2SP tlog-policy file that have URLs
          --anchor KIND=PLACE    where else checkpoints are left, such as folder=DIR,every=10m; may be given again
          --rail simulated:SEED  the simulated payout rail makes faults, the same for the same seed; without it, it makes none
          --flag NAME=on|off     a feature flag, such as mbp.create.by_template=off; may be given again
          --help                 this text
        """;

    // Two events each: a commit has to stay one that the database takes in a moment.
    private const int MostPayoutsPerCommit = 2_000;

    /// <summary>Flags that exist, with what they are unless told otherwise.</summary>
    public static readonly IReadOnlyDictionary<string, bool> KnownFlags = new Dictionary<string, bool>(StringComparer.Ordinal)
    {
        ["mbp.create.by_template"] = true,
        ["mbp.resolve.manual"] = true,
    };

    public string Urls { get; init; } = "http://127.0.0.1:5080";

    public string Data { get; init; } = ".mbp";

    public string? Postgres { get; init; }

    public bool Ephemeral { get; init; }

    public bool Demo { get; init; }

    public string Shard { get; init; } = "main";

    public bool Limits { get; init; } = true;

    /// <summary>Whether the public log is kept and receipts are signed. Off only to measure what that costs.</summary>
    public bool Log { get; init; } = true;

    /// <summary>Whose public log; null = as at the first start.</summary>
    public string? LogName { get; init; }

    /// <summary>Whether <c>/events</c> asks for an operator's key.</summary>
    public bool EventsForOperatorsOnly { get; init; }

    /// <summary>
    /// Payouts in one batch, of which two are under way over all markets: one is being committed, one decided. Two events each. Large enough that a commit's own cost is small beside its events', small
    /// enough that it is soon over for a trade that came in behind it (docs/performance.md, "A settlement of 100,000 accounts").
    /// </summary>
    public int PayoutsPerCommit { get; init; } = 100;

    /// <summary>How often the public log is signed. Not on the command line.</summary>
    public LogKeeperOptions LogKeeper { get; init; } = new();

    public IReadOnlyDictionary<string, bool> Flags { get; init; } = KnownFlags;

    /// <summary>Witnesses, each <c>URL=VKEY</c>.</summary>
    public IReadOnlyList<string> Witnesses { get; init; } = [];

    /// <summary>A C2SP tlog-policy file whose witnesses with URLs are asked, too.</summary>
    public string? LogPolicy { get; init; }

    /// <summary>Anchors, as <c>AnchorSetting</c> reads them; those in <c>log/anchors</c> of the data folder come on top.</summary>
    public IReadOnlyList<string> Anchors { get; init; } = [];

    public bool Help { get; init; }

    /// <summary>The one clock of the process. Not on the command line: only a test tells the host another time.</summary>
    public IClock Clock { get; init; } = SystemClock.Instance;

    /// <summary>What followers over HTTP may cost.</summary>
    public StreamLimits Streams { get; init; } = new();

    /// <summary>Who reacts to events. Not on the command line: only a test has others than the product.</summary>
    public SubscriptionSet Subscriptions { get; init; } = SubscriptionSet.Product;

    /// <summary>Stands in for the network when endpoints are asked. Not on the command line: only a test has one.</summary>
    public HttpMessageHandler? Endpoints { get; init; }

    /// <summary>How withdrawals are paid out.</summary>
    public PayoutTerms Payouts { get; init; } = new();

    public bool IsOn(string flag) => Flags[flag];

    /// <exception cref="UsageException">An option is unknown or lacks its value.</exception>
    public static MbpOptions Parse(IReadOnlyList<string> arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        var options = new MbpOptions();
        for (var i = 0; i < arguments.Count; i++)
        {
            var name = arguments[i];
            options = name switch
            {
                "--urls" => options with { Urls = Addresses(Value()) },
                "--data" => options with { Data = Value() },
                "--postgres" => options with { Postgres = Value() },
                "--ephemeral" => options with { Ephemeral = true },
                "--demo" => options with { Demo = true },
                "--shard" => options with { Shard = Value() },
                "--log-name" => options with { LogName = Value() },
                "--events" => options with { EventsForOperatorsOnly = Events(Value()) },
                "--limits" => options with { Limits = OnOff(Value(), name) },
                "--payouts-per-commit" => options with { PayoutsPerCommit = Whole(Value(), name, most: MostPayoutsPerCommit) },
                "--log" => options with { Log = OnOff(Value(), name) },
                "--test-clock" => options with { Clock = new TestClock() },
                "--witness" => options with { Witnesses = [.. options.Witnesses, Value()] },
                "--log-policy" => options with { LogPolicy = Value() },
                "--anchor" => options with { Anchors = [.. options.Anchors, Value()] },
                "--rail" => options with { Payouts = options.Payouts with { FaultSeed = Seed(Value()) } },
                "--flag" => options.WithFlag(Value()),
                "--help" or "-h" => options with { Help = true },
                _ => throw new UsageException($"There is no option '{name}'."),
            };

            string Value() => ++i < arguments.Count ? arguments[i] : throw new UsageException($"{name} needs a value.");
        }

        return options switch
        {
            { Postgres: not null, Ephemeral: true } => throw new UsageException("--ephemeral is about the embedded PostgreSQL and does not go with --postgres."),
            { Clock: TestClock, Ephemeral: false } => throw new UsageException("--test-clock goes with --ephemeral only: no time in such a ledger is to be trusted."),
            _ => options,
        };
    }

    private static string Addresses(string urls) =>
        urls.Split(';').All(url => Uri.TryCreate(url.Replace("*", "localhost", StringComparison.Ordinal).Replace("+", "localhost", StringComparison.Ordinal), UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https")
            ? urls
            : throw new UsageException($"--urls takes addresses such as http://127.0.0.1:5080, separated by semicolons, not '{urls}'.");

    private static long Seed(string value) =>
        value.StartsWith("simulated:", StringComparison.Ordinal) && long.TryParse(value["simulated:".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : throw new UsageException($"--rail takes simulated:SEED with a whole number, not '{value}'.");

    private static bool Events(string value) => value switch
    {
        "operators" => true,
        "public" => false,
        _ => throw new UsageException($"--events takes 'operators' or 'public', not '{value}'."),
    };

    private static int Whole(string value, string option, int most) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= most
            ? number
            : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{option} takes a whole number from 1 to {most}, not '{value}'."));

    private static bool OnOff(string value, string option) => value switch
    {
        "on" => true,
        "off" => false,
        _ => throw new UsageException($"{option} takes 'on' or 'off', not '{value}'."),
    };

    private MbpOptions WithFlag(string text)
    {
        var at = text.IndexOf('=', StringComparison.Ordinal);
        var name = at < 0 ? text : text[..at];
        return at > 0 && KnownFlags.ContainsKey(name)
            ? this with { Flags = new Dictionary<string, bool>(Flags, StringComparer.Ordinal) { [name] = OnOff(text[(at + 1)..], name) } }
            : throw new UsageException($"--flag takes one of {string.Join(", ", KnownFlags.Keys)} with =on or =off.");
    }
}

/// <summary>The command line is wrong; the message says how.</summary>
public sealed class UsageException(string message) : Exception(message);
