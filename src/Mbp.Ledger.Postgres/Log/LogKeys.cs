using System.Collections.Concurrent;
using System.Globalization;
using Mbp.Ledger.Log;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>
/// The log's private keys: a PKCS#8 file each, named after the key's id, which only this user can read. Which of them signs is said by
/// <c>ledger_key</c>; a key that is not there any more was retired.
/// </summary>
/// <param name="folder">Where they are: <c>log/keys</c> in the data folder.</param>
public sealed class LogKeys(string folder) : IDisposable
{
    private readonly ConcurrentDictionary<string, Ed25519PrivateKey> _open = new(StringComparer.Ordinal);

    public string Folder => folder;

    /// <summary>A key's id as files and tables spell it.</summary>
    public static string IdOf(VerifierKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.KeyId.ToString("x8", CultureInfo.InvariantCulture);
    }

    /// <exception cref="PostgresSetupException">This machine cannot sign.</exception>
    public static void Probe()
    {
        try
        {
            Ed25519.Probe();
        }
        catch (Ed25519UnavailableException e)
        {
            throw new PostgresSetupException($"{e.Message} The ledger's public log must be signed: install OpenSSL 3 (Debian, Ubuntu: apt install libssl3).", e);
        }
    }

    /// <summary>Makes a key and its file.</summary>
    /// <param name="origin">Of the log: the name of its keys.</param>
    public VerifierKey Create(string origin)
    {
        var secret = Ed25519PrivateKey.Create();
        var key = new Ed25519Signer(origin, secret).Key;
        Directory.CreateDirectory(folder);
        SecretFile.Write(PathOf(key), System.Text.Encoding.ASCII.GetBytes(secret.ToPem()));
        _open[IdOf(key)] = secret;
        return key;
    }

    /// <summary>The signer with a key; null where its private half is not in the folder.</summary>
    /// <exception cref="LogFormatException">The file holds no key, or another one.</exception>
    public ICheckpointSigner? Find(VerifierKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var id = IdOf(key);
        if (!_open.TryGetValue(id, out var secret))
        {
            if (!File.Exists(PathOf(key)))
            {
                return null;
            }

            secret = _open.GetOrAdd(id, Ed25519PrivateKey.FromPem(File.ReadAllText(PathOf(key))));
        }

        var signer = new Ed25519Signer(key.Name, secret);
        return signer.Key == key ? signer : throw new LogFormatException($"{PathOf(key)} does not hold the key {id} of {key.Name}.");
    }

    /// <summary>Destroys a private key: overwrites its file and removes it. What it has signed stays verifiable.</summary>
    public void Destroy(VerifierKey key)
    {
        var path = PathOf(key);
        if (File.Exists(path))
        {
            using (var file = File.OpenWrite(path))
            {
                file.Write(new byte[file.Length]);
                file.Flush(flushToDisk: true);
            }

            File.Delete(path);
        }

        // Not disposed of: a signature that is being made ends first, and the collector wipes the rest.
        _open.TryRemove(IdOf(key), out _);
    }

    public string PathOf(VerifierKey key) => Path.Combine(folder, $"{IdOf(key)}.pem");

    public void Dispose()
    {
        foreach (var key in _open.Values)
        {
            key.Dispose();
        }

        _open.Clear();
    }
}
