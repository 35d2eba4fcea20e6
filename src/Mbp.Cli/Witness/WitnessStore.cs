using System.Security.Cryptography;
using System.Text;
using Mbp.Cli.Files;
using Mbp.Ledger.Log;
using Mbp.Ledger.Postgres;

namespace Mbp.Cli.Witness;

/// <summary>
/// What a witness must never forget: its key, and of each log the last checkpoint that it signed. One process at a time, and each file is replaced as
/// a whole and synced before anybody hears of what is in it.
/// </summary>
internal sealed class WitnessStore : IDisposable
{
    // A log that forks again and again tells nothing new, and must not fill the disk.
    private const int MostEvidence = 100;

    private readonly string _folder;
    private readonly FileStream _lock;
    private readonly Lock _evidence = new();

    private WitnessStore(string folder, FileStream @lock, Ed25519PrivateKey key, VerifierKey vkey) => (_folder, _lock, PrivateKey, Key) = (folder, @lock, key, vkey);

    public Ed25519PrivateKey PrivateKey { get; }

    public VerifierKey Key { get; }

    /// <summary>Opens a witness's folder, or makes one with a new key.</summary>
    /// <param name="name">The witness's name; null = the one it has.</param>
    /// <exception cref="EnvironmentException">Another process has it, it is another witness's, or it is damaged.</exception>
    public static WitnessStore Open(string folder, string? name)
    {
        Directory.CreateDirectory(folder);
        var @lock = Lock(folder);
        try
        {
            var (keyFile, nameFile) = (Path.Combine(folder, "key"), Path.Combine(folder, "vkey"));
            if (!File.Exists(keyFile))
            {
                using var made = Ed25519PrivateKey.Create();
                DurableFile.Replace(keyFile, Encoding.ASCII.GetBytes(made.ToPem()));
            }

            var key = Ed25519PrivateKey.FromPem(File.ReadAllText(keyFile));
            if (!File.Exists(nameFile))
            {
                DurableFile.Replace(nameFile, Encoding.UTF8.GetBytes($"{Cosignature.KeyOf(name ?? "witness.localhost", key)}\n"));
            }

            var vkey = VerifierKey.Parse(File.ReadAllText(nameFile).TrimEnd('\n'));
            return !vkey.PublicKey.Span.SequenceEqual(key.PublicKey.Span) ? throw new EnvironmentException($"{nameFile} is not of the key in {keyFile}.")
                : name is not null && vkey.Name != name ? throw new EnvironmentException($"This witness is {vkey.Name}. For one that is called {name}, take another folder.")
                : new WitnessStore(folder, @lock, key, vkey);
        }
        catch (LogFormatException e)
        {
            @lock.Dispose();
            throw new EnvironmentException($"The key in {folder} is damaged: {e.Message}");
        }
        catch
        {
            @lock.Dispose();
            throw;
        }
    }

    /// <summary>The name under which a log's last checkpoint is found: SHA-256 of its origin.</summary>
    public static string NameOf(string origin) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(origin)));

    /// <summary>The last checkpoint of a log with this witness's signature; null = it never signed one.</summary>
    /// <exception cref="EnvironmentException">The file is not what was written: to go on would be to forget.</exception>
    public SignedNote? Load(string origin)
    {
        var path = PathOf(origin);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            var note = SignedNote.Parse(File.ReadAllBytes(path));
            return Checkpoint.Of(note).Origin == origin && note.Verify(Key) == SignatureState.Valid
                ? note
                : throw new EnvironmentException($"{path} is not what this witness signed for {origin}.");
        }
        catch (LogFormatException e)
        {
            throw new EnvironmentException($"{path} is damaged: {e.Message}");
        }
    }

    /// <summary>Returns when the checkpoint is on the disk.</summary>
    public void Save(string origin, SignedNote note) => DurableFile.Replace(PathOf(origin), note.ToUtf8());

    /// <summary>Keeps a checkpoint that the log signed and that contradicts what it signed before: together they are the proof against it.</summary>
    public void KeepEvidence(Checkpoint checkpoint, SignedNote note)
    {
        var folder = Path.Combine(_folder, "evidence");
        lock (_evidence)
        {
            Directory.CreateDirectory(folder);
            var path = Path.Combine(folder, $"{NameOf(checkpoint.Origin)}-{checkpoint.Size}-{checkpoint.Root}.note");
            if (!File.Exists(path) && Directory.EnumerateFiles(folder).Take(MostEvidence).Count() < MostEvidence)
            {
                DurableFile.WriteOnce(path, note.ToUtf8());
            }
        }
    }

    public void Dispose()
    {
        PrivateKey.Dispose();
        _lock.Dispose();
    }

    private string PathOf(string origin) => Path.Combine(_folder, NameOf(origin));

    private static FileStream Lock(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new EnvironmentException($"Another witness runs on {folder}: two could sign two histories. ({e.Message})");
        }
    }
}
