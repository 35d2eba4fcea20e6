using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Tests.Log;

/// <summary>A log, witnesses and leaves for tests: the same ones at every run.</summary>
internal static class Keys
{
    public const string Origin = "log.example/mbp-ledger/1";

    public static readonly Ed25519Signer Log = new(Origin, Private(1));

    public static Ed25519PrivateKey Private(byte number)
    {
        var seed = new byte[Ed25519PrivateKey.SeedSize];
        seed[0] = number;
        return Ed25519PrivateKey.FromSeed(seed);
    }

    public static MerkleHash[] Leaves(int count) => [.. Enumerable.Range(0, count).Select(i => MerkleTree.LeafHash(BitConverter.GetBytes(i)))];

    public static SignedNote Signed(Checkpoint checkpoint) => SignedNote.Sign(checkpoint.ToText(), Log);

    /// <summary>The bytes with one bit turned.</summary>
    public static byte[] Damaged(ReadOnlySpan<byte> bytes, int bit)
    {
        var damaged = bytes.ToArray();
        damaged[bit / 8 % damaged.Length] ^= (byte)(1 << (bit % 8));
        return damaged;
    }
}
