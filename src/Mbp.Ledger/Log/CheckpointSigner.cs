namespace Mbp.Ledger.Log;

/// <summary>Whoever holds the log's private key: a file's content now, a hardware module later (integrity.md, section 1.7).</summary>
public interface ICheckpointSigner
{
    /// <summary>The key by which anybody checks the signatures; its type is <see cref="VerifierKey.Ed25519Type"/>.</summary>
    VerifierKey Key { get; }

    /// <summary>Signs a message, for a note its text. Safe to call from many threads.</summary>
    /// <returns>64 bytes.</returns>
    byte[] Sign(ReadOnlySpan<byte> message);
}

/// <summary>A signer with the private key in memory; whoever made the key disposes of it.</summary>
/// <param name="name">The key's name, which for a log is its origin.</param>
public sealed class Ed25519Signer(string name, Ed25519PrivateKey privateKey) : ICheckpointSigner
{
    public VerifierKey Key { get; } = new(name, VerifierKey.Ed25519Type, privateKey.PublicKey);

    public byte[] Sign(ReadOnlySpan<byte> message) => privateKey.Sign(message);
}
