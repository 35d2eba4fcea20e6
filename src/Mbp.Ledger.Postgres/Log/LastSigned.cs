using Mbp.Ledger.Log;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>
/// The last tree head that was signed, outside of the database: a database that was restored to an older state does not know what it has
/// signed since, and would sign another history. Written and synced before a checkpoint is stored or served.
/// </summary>
/// <param name="path">The file, a signed note: <c>log/last-signed</c> in the data folder.</param>
public sealed class LastSigned(string path)
{
    public string FilePath => path;

    /// <summary>Null = there is no such file.</summary>
    /// <exception cref="LogHaltException">There is one, and it is no checkpoint.</exception>
    public SignedNote? Read()
    {
        try
        {
            var note = SignedNote.Parse(File.ReadAllBytes(path));
            Checkpoint.Of(note);
            return note;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (LogFormatException e)
        {
            throw new LogHaltException(
                LogFaults.LastSigned, null, $"{path} is no checkpoint: {e.Message} Put the newest checkpoint there that anybody holds: a witness's, an export's, a client's.", e);
        }
    }

    public void Write(SignedNote note)
    {
        ArgumentNullException.ThrowIfNull(note);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        SecretFile.Write(path, note.ToUtf8());
    }
}
