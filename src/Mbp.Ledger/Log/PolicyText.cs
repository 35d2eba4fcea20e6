namespace Mbp.Ledger.Log;

/// <summary>Reads the text of a policy, line by line; a name must be defined before it is used.</summary>
internal sealed class PolicyText
{
    private const string None = "none";

    // C2SP asks for at least 32 of each.
    private const int MostLines = 1000;

    private readonly List<VerifierKey> _logs = [];
    private readonly Dictionary<string, Quorum> _named = new(StringComparer.Ordinal);
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);
    private Quorum? _quorum;

    public LogPolicy Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Any(c => (c < ' ' && c is not ('\t' or '\n')) || c == '\u007f'))
        {
            throw new LogFormatException("A policy has no control characters but tab and newline.");
        }

        var lines = text.Split('\n', MostLines + 1);
        if (lines.Length > MostLines)
        {
            throw new LogFormatException($"A policy has at most {MostLines} lines.");
        }

        for (var i = 0; i < lines.Length; i++)
        {
            try
            {
                Read(lines[i].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries));
            }
            catch (LogFormatException e)
            {
                throw new LogFormatException($"Line {i + 1}: {e.Message}", e);
            }
        }

        return new LogPolicy(_logs, _named, _quorum ?? throw new LogFormatException("A policy has a quorum line; 'quorum none' asks for no witness."));
    }

    private IEnumerable<VerifierKey> Witnesses => _named.Values.OfType<Quorum.Witness>().Select(witness => witness.Key);

    private void Read(string[] items)
    {
        switch (items)
        {
            case []:
            case [['#', ..], ..]:
                break;
            // A URL may follow a key: it says where, and verifies nothing.
            case ["log", _] or ["log", _, _]:
                _logs.Add(Key(items[1], VerifierKey.Ed25519Type, _logs));
                break;
            case ["witness", _, _] or ["witness", _, _, _]:
                Define(new Quorum.Witness(items[1], Key(items[2], VerifierKey.CosignatureType, Witnesses)));
                break;
            case ["group", var name, var needed, _, ..]:
                Define(Group(name, needed, items[3..]));
                break;
            case ["quorum", var name]:
                _quorum = _quorum is not null ? throw new LogFormatException("There is one quorum line.") : name == None ? Quorum.None : Named(name);
                break;
            default:
                throw new LogFormatException($"'{items[0]}' with {items.Length - 1} items is no line of a policy.");
        }
    }

    private Quorum.Group Group(string name, string needed, string[] names)
    {
        var members = names.Select(member => _taken.Add(member) ? Named(member) : throw new LogFormatException($"{member} is in a group already.")).ToList();
        var count = needed switch
        {
            "any" => 1,
            "all" => members.Count,
            _ when LogText.TryNumber(needed, out var number) && number >= 1 && number <= members.Count => (int)number,
            _ => throw new LogFormatException($"A group needs 'any', 'all', or 1 to {members.Count} of its members, not '{needed}'."),
        };
        return new Quorum.Group(name, count, members);
    }

    private void Define(Quorum quorum)
    {
        if (quorum.Name == None || !_named.TryAdd(quorum.Name, quorum))
        {
            throw new LogFormatException($"The name {quorum.Name} is taken.");
        }
    }

    private Quorum Named(string name) => _named.TryGetValue(name, out var quorum) ? quorum : throw new LogFormatException($"{name} is not defined before this line.");

    // One key under two names would count twice.
    private static VerifierKey Key(string vkey, byte type, IEnumerable<VerifierKey> others)
    {
        var key = VerifierKey.Parse(vkey);
        return key.Type != type ? throw new LogFormatException($"The key {key.Name} is of type 0x{key.Type:x2}, not 0x{type:x2}.")
            : others.Any(other => other.PublicKey.Span.SequenceEqual(key.PublicKey.Span)) ? throw new LogFormatException($"The key {key.Name} is there already.")
            : key;
    }
}
