using System.Security.Cryptography;
using System.Text;
using Mbp.Domain.Accounts;

namespace Mbp.Host.Platform;

/// <summary>Who calls.</summary>
/// <param name="Id">Pseudonymous: <c>op-1</c> for an operator, the account's id for its owner. Goes into every event as the actor.</param>
/// <param name="Account">The one account that the key reaches; null for an operator, who reaches all.</param>
/// <param name="CanTrade">May send commands for the account.</param>
public sealed record Principal(string Id, AccountId? Account, bool CanTrade)
{
    public bool IsOperator => Account is null;

    /// <summary>May take credits out of the account. Operators may for every account.</summary>
    public bool CanWithdraw { get; init; }

    /// <summary>The hash of an owner's key; null for an operator, whose keys last as long as the process.</summary>
    public string? KeyHash { get; init; }

    /// <summary>Asked by what outlasts a single answer: a key may be revoked meanwhile.</summary>
    public bool IsInForce(LedgerView view) => KeyHash is not { } hash || (view ?? throw new ArgumentNullException(nameof(view))).KeysByHash.ContainsKey(hash);

    public static Principal Of(HttpContext http) =>
        http.Features.Get<Principal>() ?? throw new InvalidOperationException("This route is not behind the authentication filter.");

    public void AttachTo(HttpContext http)
    {
        ArgumentNullException.ThrowIfNull(http);
        http.Features.Set(this);
    }
}

/// <summary>The operators' keys, made at the first start and kept in files that only this user can read.</summary>
public sealed class OperatorKeys
{
    // Two decide a value, two others judge a dispute about it, and two of whom one is none of those arbitrate.
    private const int Persons = 5;

    private readonly Dictionary<string, Principal> _byHash;

    private OperatorKeys(Dictionary<string, Principal> byHash, string path) => (_byHash, Path) = (byHash, path);

    /// <summary>The first operator's file; the others' have <c>-2</c>, <c>-3</c>, ... at their ends.</summary>
    public string Path { get; }

    public static OperatorKeys LoadOrCreate(string data)
    {
        var first = System.IO.Path.Combine(data, "api-key");
        var byHash = new Dictionary<string, Principal>(StringComparer.Ordinal);
        for (var i = 1; i <= Persons; i++)
        {
            byHash[ApiKey.HashOf(ReadOrCreate(i == 1 ? first : $"{first}-{i}"))] = new Principal($"op-{i}", Account: null, CanTrade: true);
        }

        return new OperatorKeys(byHash, first);
    }

    public Principal? Find(string hash) => _byHash.GetValueOrDefault(hash);

    private static string ReadOrCreate(string path)
    {
        if (!File.Exists(path))
        {
            // CreateNew: two hosts that start together on one folder must end up with one key.
            try
            {
                var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
                if (!OperatingSystem.IsWindows())
                {
                    options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
                }

                using var file = new FileStream(path, options);
                file.Write(Encoding.ASCII.GetBytes(ApiKey.Create("mbp_op")));
            }
            catch (IOException) when (File.Exists(path))
            {
                // The other one was first; its key is read below.
            }
        }

        var key = File.ReadAllText(path).Trim();
        return key.Length >= 20 ? key : throw new InvalidDataException($"{path} holds no key; delete it and start again to have a new one made.");
    }
}

/// <summary>Keys are 256 random bits; only their SHA-256 is ever stored or looked up.</summary>
public static class ApiKey
{
    public static string Create(string prefix) => $"{prefix}_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))}";

    public static string HashOf(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
