using System.Text;
using System.Text.RegularExpressions;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Postgres.Log.Anchors;

/// <summary>An annotated tag whose message is the note: whoever has cloned or fetched the repository holds the checkpoint.</summary>
/// <param name="repository">Where tags are made.</param>
/// <param name="gate">What the tag is for: a gate or a release.</param>
/// <param name="remote">Where the tag is sent; null = it stays here until somebody pushes it.</param>
public sealed partial class GitAnchor(GitRepository repository, string gate, string? remote = null) : IAnchor
{
    public string Kind => "git";

    public string Place => "";

    /// <summary>The name of the tag for a gate and a root.</summary>
    /// <exception cref="AnchorException">The gate's name is none for a tag.</exception>
    public static string TagOf(string gate, MerkleHash root) => GateName().IsMatch(gate)
        ? $"anchor-{gate}-{root}"
        : throw new AnchorException($"'{gate}' is no name of a gate: letters, digits, '.', '_' and '-', beginning with a letter or a digit.");

    public async Task<AnchorReceipt> PublishAsync(AnchoredCheckpoint checkpoint, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        var name = TagOf(gate, checkpoint.Root);
        await repository.EnsureTagAsync(name, checkpoint.Note, ct).ConfigureAwait(false);
        var tag = await repository.TagAsync(name, ct).ConfigureAwait(false) ?? throw new AnchorException($"The tag {name} is not there after it was made.");
        if (Message(tag) != checkpoint.Note)
        {
            throw new AnchorException($"The tag {name} is there and holds something else. It is not overwritten.");
        }

        if (remote is not null)
        {
            await repository.PushAsync(remote, name, ct).ConfigureAwait(false);
        }

        return new AnchorReceipt(name, Encoding.UTF8.GetBytes(tag));
    }

    public async Task<Verdict> VerifyAsync(AnchoredCheckpoint checkpoint, AnchorReceipt receipt, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(receipt);
        var faults = new List<string>();
        var tag = Encoding.UTF8.GetString(receipt.Content.Span);
        if (!receipt.Ref.StartsWith("anchor-", StringComparison.Ordinal) || !receipt.Ref.EndsWith($"-{checkpoint.Root}", StringComparison.Ordinal) || Message(tag) != checkpoint.Note)
        {
            // And git is not asked for a name that is not one of ours.
            return Verdict.Bad($"The receipt is not for this checkpoint: it names {receipt.Ref}.");
        }

        switch (await repository.TagAsync(receipt.Ref, ct).ConfigureAwait(false))
        {
            case null:
                faults.Add($"The tag {receipt.Ref} is not in {repository.Folder}.");
                break;
            case { } now when now != tag:
                faults.Add($"The tag {receipt.Ref} in {repository.Folder} is not the one that was made.");
                break;
        }

        return new Verdict(faults);
    }

    private static string? Message(string tag) => tag.IndexOf("\n\n", StringComparison.Ordinal) is >= 0 and var border ? tag[(border + 2)..] : null;

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\z")]
    private static partial Regex GateName();
}
