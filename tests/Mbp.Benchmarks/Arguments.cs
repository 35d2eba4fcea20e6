using System.Globalization;

namespace Mbp.Benchmarks;

/// <summary>The command line is wrong; the message says how.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>Options of the form <c>--name value</c>; a name without a value is a switch.</summary>
internal sealed class Arguments
{
    private readonly Dictionary<string, string> _given = new(StringComparer.Ordinal);
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    public Arguments(IEnumerable<string> arguments)
    {
        string? name = null;
        foreach (var argument in arguments)
        {
            if (argument.StartsWith("--", StringComparison.Ordinal))
            {
                _given[name = argument[2..]] = "";
            }
            else if (name is not null)
            {
                _given[name] = argument;
                name = null;
            }
            else
            {
                throw new UsageException($"'{argument}' belongs to no option.");
            }
        }
    }

    public string Text(string name, string? otherwise = null) =>
        Find(name) ?? otherwise ?? throw new UsageException($"--{name} is needed.");

    public string? Find(string name)
    {
        _asked.Add(name);
        return _given.GetValueOrDefault(name);
    }

    public double Number(string name, double otherwise, double least)
    {
        if (Find(name) is not { } text)
        {
            return otherwise;
        }

        return double.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= least
            ? number
            : throw new UsageException($"--{name} takes a number of at least {least.ToString(CultureInfo.InvariantCulture)}, not '{text}'.");
    }

    /// <summary>Call it when everything was asked for: what is left is a mistake.</summary>
    public void Complete()
    {
        // Machines ask every verb for JSON, and there is nothing else here.
        _asked.Add("json");
        if (_given.Keys.Except(_asked).FirstOrDefault() is { } unknown)
        {
            throw new UsageException($"There is no option --{unknown} here.");
        }
    }
}
