using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Mbp.Ledger.Postgres.Log.Anchors;

/// <summary>The few things that are asked of git, by its own program; nothing ever changes or removes what is there.</summary>
public sealed class GitRepository(string folder)
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    public string Folder { get; } = Path.GetFullPath(folder);

    /// <summary>The bytes of an annotated tag's object; null where there is no such tag.</summary>
    /// <exception cref="AnchorException">There is no repository, or the tag is not an annotated one.</exception>
    public async Task<string?> TagAsync(string name, CancellationToken ct)
    {
        await RequireAsync(ct).ConfigureAwait(false);
        var (exists, _, _) = await GitAsync(["rev-parse", "--quiet", "--verify", $"refs/tags/{name}"], null, ct).ConfigureAwait(false);
        if (exists != 0)
        {
            return null;
        }

        var (code, content, error) = await GitAsync(["cat-file", "tag", $"refs/tags/{name}"], null, ct).ConfigureAwait(false);
        return code == 0 ? content : throw new AnchorException($"{name} in {Folder} is not an annotated tag: {error}");
    }

    /// <summary>Makes an annotated tag at HEAD, its message to the byte. False where it is there already.</summary>
    /// <exception cref="AnchorException">git refuses.</exception>
    public async Task<bool> EnsureTagAsync(string name, string message, CancellationToken ct)
    {
        if (await TagAsync(name, ct).ConfigureAwait(false) is not null)
        {
            return false;
        }

        // A machine's account often has no name of its own.
        var (named, _, _) = await GitAsync(["config", "user.email"], null, ct).ConfigureAwait(false);
        string[] identity = named == 0 ? [] : ["-c", "user.name=MBP anchor", "-c", "user.email=anchor@mbp.invalid"];
        var (code, _, error) = await GitAsync([.. identity, "tag", "--annotate", "--cleanup=verbatim", "--file=-", name], message, ct).ConfigureAwait(false);
        return code == 0 || await TagAsync(name, ct).ConfigureAwait(false) is not null
            ? code == 0
            : throw new AnchorException($"git in {Folder} does not make the tag {name}: {error}");
    }

    /// <summary>Sends a tag to a remote, which has it from then on.</summary>
    /// <exception cref="AnchorException">The remote refuses, or has another tag of this name.</exception>
    public async Task PushAsync(string remote, string name, CancellationToken ct)
    {
        var (code, _, error) = await GitAsync(["push", "--", remote, $"refs/tags/{name}:refs/tags/{name}"], null, ct).ConfigureAwait(false);
        if (code != 0)
        {
            throw new AnchorException($"{remote} does not take the tag {name}: {error}");
        }
    }

    private async Task RequireAsync(CancellationToken ct)
    {
        if (!Directory.Exists(Folder) || (await GitAsync(["rev-parse", "--git-dir"], null, ct).ConfigureAwait(false)).Code != 0)
        {
            throw new AnchorException($"There is no git repository at {Folder}.");
        }
    }

    private async Task<(int Code, string Output, string Error)> GitAsync(string[] arguments, string? input, CancellationToken ct)
    {
        var start = new ProcessStartInfo("git", ["-C", Folder, .. arguments])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            StandardInputEncoding = Utf8, StandardOutputEncoding = Utf8,
        };
        // Nobody is there to answer a question.
        start.Environment["GIT_TERMINAL_PROMPT"] = "0";
        try
        {
            using var git = Process.Start(start) ?? throw new AnchorException("git does not start.");
            try
            {
                await git.StandardInput.WriteAsync(input.AsMemory(), ct).ConfigureAwait(false);
                git.StandardInput.Close();
                var (output, error) = (git.StandardOutput.ReadToEndAsync(ct), git.StandardError.ReadToEndAsync(ct));
                await git.WaitForExitAsync(ct).ConfigureAwait(false);
                return (git.ExitCode, await output.ConfigureAwait(false), (await error.ConfigureAwait(false)).Trim());
            }
            catch (OperationCanceledException)
            {
                git.Kill(entireProcessTree: true);
                throw;
            }
        }
        catch (Win32Exception e)
        {
            throw new AnchorException($"git does not start: {e.Message}", e);
        }
    }
}
