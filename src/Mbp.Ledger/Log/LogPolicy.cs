using NodaTime;

namespace Mbp.Ledger.Log;

/// <summary>
/// Which logs are believed, and whose cosignatures must stand beside theirs, by C2SP tlog-policy. Of the lines <c>log</c>, <c>witness</c>,
/// <c>group</c> and <c>quorum</c>, only the last must be there.
/// </summary>
public sealed class LogPolicy
{
    private readonly IReadOnlyDictionary<string, Quorum> _quorums;
    private readonly Quorum _quorum;

    internal LogPolicy(IReadOnlyList<VerifierKey> logs, IReadOnlyDictionary<string, Quorum> quorums, Quorum quorum) =>
        (Logs, _quorums, _quorum) = (logs, quorums, quorum);

    /// <summary>The keys of logs that are believed; one signature is enough. With none, the caller must know the log from elsewhere.</summary>
    public IReadOnlyList<VerifierKey> Logs { get; }

    /// <summary>The keys of all witnesses that the policy knows.</summary>
    public IReadOnlyList<VerifierKey> Witnesses => [.. _quorums.Values.OfType<Quorum.Witness>().Select(witness => witness.Key)];

    /// <summary>The policy that believes logs without a witness: <c>quorum none</c>.</summary>
    public static LogPolicy Of(params IReadOnlyList<VerifierKey> logs) => new(logs, new Dictionary<string, Quorum>(), Quorum.None);

    /// <summary>Reads a policy file.</summary>
    /// <exception cref="LogFormatException">A line is none of a policy, or there is not exactly one quorum. The message has the line's number.</exception>
    public static LogPolicy Parse(string text) => new PolicyText().Parse(text);

    /// <summary>Whether the note is one that the policy believes.</summary>
    public PolicyCheck Check(SignedNote note)
    {
        ArgumentNullException.ThrowIfNull(note);
        var missing = new List<string>();
        CheckLogs(note, missing);
        var times = new Dictionary<VerifierKey, Instant>();
        foreach (var key in Witnesses)
        {
            switch (note.Verify(key))
            {
                case SignatureState.Valid:
                    times.Add(key, Cosignature.Verify(key, note)!.Value);
                    break;
                case SignatureState.Invalid:
                    missing.Add($"The cosignature of {key.Name} is not its own.");
                    break;
                case SignatureState.Absent:
                default:
                    break;
            }
        }

        if (!_quorum.Holds(times.ContainsKey))
        {
            missing.Add(_quorum.Wants(times.ContainsKey));
        }

        return new PolicyCheck(missing, times, missing.Count == 0 ? Time(times) : null);
    }

    private void CheckLogs(SignedNote note, List<string> missing)
    {
        var origin = note.Text[..note.Text.IndexOf('\n', StringComparison.Ordinal)];
        var states = Logs.Select(key => (Key: key, State: note.Verify(key))).ToList();
        missing.AddRange(states.Where(log => log.State == SignatureState.Invalid).Select(log => $"The signature of {log.Key.Name} is not its own."));
        if (Logs.Count > 0 && !states.Any(log => log.State == SignatureState.Valid && log.Key.Name == origin))
        {
            missing.Add($"No key of the log {origin} that the policy knows has signed.");
        }
    }

    // The cosignatures from here on would be enough, the later ones alone would not.
    private Instant? Time(Dictionary<VerifierKey, Instant> times) => times.Values.Distinct().OrderDescending()
        .Select(from => (Instant?)from)
        .FirstOrDefault(from => _quorum != Quorum.None && _quorum.Holds(key => times.TryGetValue(key, out var at) && at >= from));
}

/// <summary>What a policy found in a note.</summary>
/// <param name="Missing">Sentences about what is not there or is wrong; none where the note is believed.</param>
/// <param name="Cosigned">When which witness of the policy signed.</param>
/// <param name="At">The latest time at which a quorum stands: the tree was the log's newest then. Null without a quorum.</param>
public sealed record PolicyCheck(IReadOnlyList<string> Missing, IReadOnlyDictionary<VerifierKey, Instant> Cosigned, Instant? At)
{
    public bool Satisfied => Missing.Count == 0;
}
