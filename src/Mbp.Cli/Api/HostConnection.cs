using Mbp.Cli.Files;
using System.CommandLine;

namespace Mbp.Cli.Api;

/// <summary>Where the host is and which keys open it: shared by every verb that talks to one.</summary>
internal sealed class HostConnection
{
    private readonly Option<string> _url = new("--url") { Description = "The host.", DefaultValueFactory = _ => "http://127.0.0.1:5080" };
    private readonly Option<string> _data = new("--data") { Description = "The host's data folder, for its operator keys and connections.", DefaultValueFactory = _ => ".mbp" };
    private readonly Option<int> _patience = new("--patience") { Description = "Seconds to wait for a host that is busy or restarting.", DefaultValueFactory = _ => 60 };

    public void AddTo(Command command)
    {
        command.Options.Add(_url);
        command.Options.Add(_data);
        command.Options.Add(_patience);
    }

    public string Data(ParseResult parsed) => parsed.GetValue(_data)!;

    public Uri Url(ParseResult parsed) => Uri.TryCreate(parsed.GetValue(_url), UriKind.Absolute, out var url)
        ? url
        : throw new EnvironmentException($"'{parsed.GetValue(_url)}' is no URL.");

    /// <summary>A client with the first operator's key, or the second's.</summary>
    public ApiClient Client(ParseResult parsed, bool second = false, TimeSpan? patience = null) =>
        new(Url(parsed), Key(Data(parsed), second), patience ?? TimeSpan.FromSeconds(parsed.GetValue(_patience)));

    private static string Key(string data, bool second)
    {
        var (variable, path) = (second ? "MBP_API_KEY_2" : "MBP_API_KEY", Path.Combine(data, second ? "api-key-2" : "api-key"));
        return Environment.GetEnvironmentVariable(variable) is { Length: > 0 } key ? key
            : File.Exists(path) ? File.ReadAllText(path).Trim()
            : throw new EnvironmentException($"No operator key: {path} does not exist (is --data the host's data folder?) and {variable} is not set.");
    }
}
