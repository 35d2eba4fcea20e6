using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Ledger.Log;

namespace Mbp.Verify.Output;

/// <summary>What is wrong, where it was seen.</summary>
internal sealed record Finding(FaultKind Kind, string What, string? File = null, long? Position = null);

/// <summary>What a verification found out. Any thread may add to it.</summary>
internal sealed class Report
{
    /// <summary>Of each kind, more are counted, not kept.</summary>
    private const int Kept = 20;

    // Written by hand: what a serializer finds out about a type takes longer than to check a receipt.
    private static readonly JsonWriterOptions Json = new() { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Lock _gate = new();
    private readonly List<Finding> _faults = [];
    private readonly int[] _kept = new int[Enum.GetValues<FaultKind>().Length];
    private readonly List<string> _checked = [];
    private readonly List<string> _notes = [];
    private long _faultCount;

    /// <summary>What cannot be decided yet: neither does it hold, nor is the log at fault.</summary>
    public string? Undecided { get; set; }

    public IReadOnlyList<Finding> Faults => _faults;

    public long FaultCount => Interlocked.Read(ref _faultCount);

    public int ExitCode => FaultCount > 0 ? 1 : Undecided is not null ? 2 : 0;

    public void Fault(FaultKind kind, string what, string? file = null, long? position = null)
    {
        lock (_gate)
        {
            _faultCount++;
            if (_kept[(int)kind] < Kept)
            {
                _kept[(int)kind]++;
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

        return text.Append('\n').Append(Verdict).Append(CultureInfo.InvariantCulture, $" ({Elapsed.TotalSeconds:0.00} s)").ToString();
    }

    public string ToJson()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, Json))
        {
            Write(writer);
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private string Verdict => ExitCode switch
    {
        0 => "IT HOLDS",
        1 => string.Create(CultureInfo.InvariantCulture, $"IT DOES NOT HOLD: {FaultCount} faults"),
        _ => $"NOT DECIDED: {Undecided}",
    };

    private static TimeSpan Elapsed => Stopwatch.GetElapsedTime(Program.Start);

    private void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteBoolean("holds", ExitCode == 0);
        writer.WriteNumber("exitCode", ExitCode);
        writer.WriteNumber("faultCount", FaultCount);
        Text("undecided", Undecided);
        List("checked", _checked);
        List("notes", _notes);
        writer.WriteStartArray("faults");
        foreach (var fault in _faults)
        {
            var (means, next) = Advice.On(fault.Kind);
            writer.WriteStartObject();
            writer.WriteString("kind", JsonNamingPolicy.SnakeCaseLower.ConvertName(fault.Kind.ToString()));
            Text("file", fault.File);
            if (fault.Position is { } position)
            {
                writer.WriteNumber("position", position);
            }

            writer.WriteString("what", fault.What);
            writer.WriteString("means", means);
            writer.WriteString("next", next);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteNumber("elapsedMs", Math.Round(Elapsed.TotalMilliseconds, 1));
        writer.WriteEndObject();

        void Text(string name, string? text)
        {
            if (text is not null)
            {
                writer.WriteString(name, text);
            }
        }

        void List(string name, List<string> texts)
        {
            writer.WriteStartArray(name);
            foreach (var text in texts)
            {
                writer.WriteStringValue(text);
            }

            writer.WriteEndArray();
        }
    }

    private static string Where(Finding fault) => (fault.Position, fault.File) switch
    {
        ({ } position, { } file) => string.Create(CultureInfo.InvariantCulture, $"position {position}, {file}: "),
        ({ } position, null) => string.Create(CultureInfo.InvariantCulture, $"position {position}: "),
        (null, { } file) => $"{file}: ",
        _ => "",
    };
}
