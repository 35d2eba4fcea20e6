using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mbp.Ledger.Log;

namespace Mbp.Verify.Output;

/// <summary>What is wrong, where it was seen.</summary>
internal sealed record Finding(FaultKind Kind, string What, string? File = null, long? Position = null);

/// <summary>What a verification found out. Any thread may add to it.</summary>
internal sealed class Report
{
    /// <summary>Of each kind, more are counted, not kept.</summary>
    private const int Kept = 20;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private readonly Lock _gate = new();
    private readonly List<Finding> _faults = [];
    private readonly Dictionary<FaultKind, long> _counts = [];
    private readonly List<string> _checked = [];
    private readonly List<string> _notes = [];

    /// <summary>What cannot be decided yet: neither does it hold, nor is the log at fault.</summary>
    public string? Undecided { get; set; }

    public IReadOnlyList<Finding> Faults => _faults;

    public long FaultCount
    {
        get
        {
            lock (_gate)
            {
                return _counts.Values.Sum();
            }
        }
    }

    public int ExitCode => FaultCount > 0 ? 1 : Undecided is not null ? 2 : 0;

    public void Fault(FaultKind kind, string what, string? file = null, long? position = null)
    {
        lock (_gate)
        {
            var count = _counts[kind] = _counts.GetValueOrDefault(kind) + 1;
            if (count <= Kept)
            {
                _faults.Add(new Finding(kind, what, file, position));
            }
        }
    }

    public void Fault(LogFaultException e, Exception? inner = null) => Fault(
        e.Kind switch
        {
            LogFaultKind.Tile => FaultKind.Tile,
            LogFaultKind.Entry => FaultKind.Entry,
            LogFaultKind.Root => FaultKind.Root,
            _ => throw new InvalidOperationException($"{e.Kind} is no kind of fault.", inner),
        },
        e.Message, e.Path?.ToString(), e.Position);

    /// <summary>Something that was looked at, and held.</summary>
    public void Checked(FormattableString what)
    {
        lock (_gate)
        {
            _checked.Add(what.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Something that the reader must know, whether all holds or not.</summary>
    public void Note(FormattableString what)
    {
        lock (_gate)
        {
            _notes.Add(what.ToString(CultureInfo.InvariantCulture));
        }
    }

    public string ToText()
    {
        var text = new StringBuilder();
        foreach (var line in _checked)
        {
            text.Append("ok     ").Append(line).Append('\n');
        }

        foreach (var note in _notes)
        {
            text.Append("NOTE   ").Append(note).Append('\n');
        }

        foreach (var fault in _faults)
        {
            var (means, next) = Advice.On(fault.Kind);
            text.Append('\n').Append("FAULT  ").Append(Where(fault)).Append(fault.What).Append('\n');
            text.Append("       what it means: ").Append(means).Append('\n');
            text.Append("       what to do:    ").Append(next).Append('\n');
        }

        if (FaultCount > _faults.Count)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n... and {FaultCount - _faults.Count} more faults of the same kinds\n");
        }

        return text.Append('\n').Append(Verdict).Append(CultureInfo.InvariantCulture, $" ({_watch.Elapsed.TotalSeconds:0.00} s)").ToString();
    }

    public string ToJson() => JsonSerializer.Serialize(
        new
        {
            holds = ExitCode == 0, exitCode = ExitCode, faultCount = FaultCount, undecided = Undecided, @checked = _checked, notes = _notes,
            faults = _faults.Select(fault =>
            {
                var (means, next) = Advice.On(fault.Kind);
                return new { kind = JsonNamingPolicy.SnakeCaseLower.ConvertName(fault.Kind.ToString()), fault.File, fault.Position, fault.What, means, next };
            }),
            elapsedMs = Math.Round(_watch.Elapsed.TotalMilliseconds, 1),
        },
        Json);

    private string Verdict => ExitCode switch
    {
        0 => "IT HOLDS",
        1 => string.Create(CultureInfo.InvariantCulture, $"IT DOES NOT HOLD: {FaultCount} faults"),
        _ => $"NOT DECIDED: {Undecided}",
    };

    private static string Where(Finding fault) => (fault.Position, fault.File) switch
    {
        ({ } position, { } file) => string.Create(CultureInfo.InvariantCulture, $"position {position}, {file}: "),
        ({ } position, null) => string.Create(CultureInfo.InvariantCulture, $"position {position}: "),
        (null, { } file) => $"{file}: ",
        _ => "",
    };
}
