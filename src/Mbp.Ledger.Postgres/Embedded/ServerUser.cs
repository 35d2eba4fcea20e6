using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Mbp.Ledger.Postgres.Embedded;

/// <summary>
/// Who runs the server. PostgreSQL refuses to run as root, so root hands it to <c>postgres</c> if there is such an account, else to
/// <c>nobody</c>; anybody else runs it as themselves.
/// </summary>
internal sealed record ServerUser(string Name, int UserId, int GroupId, bool Changed)
{
    private const string SharedRoot = "/var/lib/mbp";

    public static ServerUser Choose()
    {
        if (!Environment.IsPrivilegedProcess || OperatingSystem.IsWindows())
        {
            return new(Environment.UserName, 0, 0, Changed: false);
        }

        var accounts = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).Where(fields => fields.Length >= 4).ToList();
        foreach (var name in new[] { "postgres", "nobody" })
        {
            if (accounts.FirstOrDefault(fields => fields[0] == name) is { } found)
            {
                return new(name, int.Parse(found[2], CultureInfo.InvariantCulture), int.Parse(found[3], CultureInfo.InvariantCulture), Changed: true);
            }
        }

        throw new PostgresSetupException("PostgreSQL does not run as root, and there is no account `postgres` or `nobody`. Run as an ordinary user, or: apt-get install postgresql");
    }

    /// <summary>The command as this user runs it.</summary>
    public IReadOnlyList<string> Command(params IReadOnlyList<string> command) =>
        Changed ? ["setpriv", "--reuid", Id(UserId), "--regid", Id(GroupId), "--clear-groups", "--", .. command] : command;

    /// <summary>Gives a file or a folder with all that is in it to this user.</summary>
    public async Task OwnAsync(string path, CancellationToken cancellationToken)
    {
        if (Changed)
        {
            await Shell.RunAsync(["chown", "-R", $"{UserId}:{GroupId}", path], cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Tries it instead of reasoning about modes: access lists and mounts have their say too.</summary>
    public async Task<bool> CanAsync(string test, string path, CancellationToken cancellationToken)
    {
        var (exit, output) = await Shell.TryAsync(Command("test", test, path), cancellationToken).ConfigureAwait(false);
        return exit >= 0 ? exit == 0 : throw new PostgresSetupException($"{output}. `setpriv` is part of util-linux: apt-get install util-linux, or run as an ordinary user.");
    }

    /// <summary>Where things go that would lie out of this user's reach (under root's home, say): the same place for the same path.</summary>
    public static string SharedPlace(string path) =>
        Path.Combine(SharedRoot, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(path))))[..12]);

    private static string Id(int id) => id.ToString(CultureInfo.InvariantCulture);
}
