using System.Text;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Writing;
using Xunit;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests.Log;

public sealed class LogReceiptTests
{
    private static readonly BatchReceipts Batch = new(new BatchSigner(Keys.Origin, Keys.Log), LeafBatch.Of(Events(Stream("m"), 1, 5)), firstPosition: 41);

    private static readonly LogReceipt Ours = LogReceipt.From(Batch.Of(3), Keys.Origin);

    [Fact]
    public void Every_receipt_of_a_batch_verifies_and_comes_back_from_its_json()
    {
        for (var i = 0; i < 5; i++)
        {
            var receipt = LogReceipt.From(Batch.Of(i), Keys.Origin);
            Assert.Equal(41 + i, receipt.Position);
            Assert.True(receipt.Verify(Keys.Log.Key).Holds);
            var back = LogReceipt.Parse(Encoding.UTF8.GetBytes(receipt.ToJson()));
            Assert.Equal(receipt.ToJson(), back.ToJson());
            Assert.True(back.Verify(Keys.Log.Key).Holds);
        }
    }

    [Fact]
    public void What_is_signed_is_no_checkpoint()
    {
        Assert.Equal($"mbp-ledger/batch@v1\n{Keys.Origin}\n41 5\n{Convert.ToBase64String(Ours.Batch.Root.ToArray())}\n", Ours.Batch.ToText());
        Assert.Throws<LogFormatException>(() => Checkpoint.Parse(Ours.Batch.ToText()));
        Assert.Equal(SignatureState.Valid, new SignedNote(Ours.Batch.ToText(), [new NoteSignature(Keys.Origin, Ours.KeyId, Ours.Signature)]).Verify(Keys.Log.Key));
    }

    [Fact]
    public void A_receipt_that_was_changed_does_not_verify_and_says_why()
    {
        using var second = Keys.Private(2);
        var other = new Ed25519Signer(Keys.Origin, second).Key;
        Assert.Contains("not of", Ours.Verify(other).ToString(), StringComparison.Ordinal);
        foreach (var changed in new[]
        {
            Ours with { Position = 43 },
            Ours with { Position = 40 },
            Ours with { LeafHash = Ours.Path[0] },
            Ours with { Path = [] },
            Ours with { Origin = "elsewhere.example" },
            Ours with { Batch = Ours.Batch with { FirstPosition = 42 } },
            Ours with { Batch = Ours.Batch with { Size = 6 } },
            Ours with { Batch = Ours.Batch with { Root = Ours.LeafHash } },
            Ours with { Batch = Ours.Batch with { Origin = "elsewhere.example" } },
            // The whole batch moved, and everything within it.
            Ours with { Position = Ours.Position + 1, Batch = Ours.Batch with { FirstPosition = 42 } },
            Ours with { KeyId = 7 },
            Ours with { Signature = Keys.Damaged(Ours.Signature.Span, 9) },
        })
        {
            Assert.False(changed.Verify(Keys.Log.Key).Holds);
            Assert.NotEmpty(changed.Verify(Keys.Log.Key).Faults);
        }

        // The signature of a receipt made for a witness's key proves nothing.
        Assert.False(Ours.Verify(Cosignature.KeyOf(Keys.Origin, Keys.Private(1))).Holds);
    }

    [Fact]
    public void The_json_has_the_published_fields()
    {
        var receipt = new LogReceipt(
            "o", 2, new MerkleHash(new byte[32]), [new MerkleHash(new byte[32])], new BatchNote("o", 1, 2, new MerkleHash(new byte[32])), 0xab, new byte[64]);
        var zero = Convert.ToBase64String(new byte[32]);
        Assert.Equal(
            $$"""{"origin":"o","position":2,"leafHash":"{{zero}}","path":["{{zero}}"],"batch":{"firstPosition":1,"size":2,"root":"{{zero}}"},"keyId":"000000ab","signature":"{{Convert.ToBase64String(new byte[64])}}"}""",
            receipt.ToJson());
    }

    [Fact]
    public void Json_that_is_not_exactly_a_receipt_is_refused()
    {
        var json = Ours.ToJson();
        var id = $"\"keyId\":\"{Ours.KeyId:x8}\"";
        foreach (var (what, by) in new[]
        {
            ("{\"origin\"", "{\"more\":1,\"origin\""), ("\"origin\":", "\"Origin\":"), ("\"position\":44", "\"position\":\"44\""), ("\"position\":44", "\"position\":44.5"),
            ("\"position\":44", "\"position\":-44"), ("\"position\":44", "\"position\":44,\"position\":44"), ("\"size\":5", "\"size\":5,\"more\":5"), ("\"path\":[", "\"path\":[null,"),
            ("\"path\":[", "\"path\":[\"AAAA\","), (id, id.ToUpperInvariant()), (id, "\"keyId\":\"1\""), (id, "\"keyId\":null"), ("\"signature\":\"", "\"signature\":\"AAAA"), ("}}", "}"),
            ("\"batch\":{", "\"batch\":[],\"other\":{"),
        })
        {
            var changed = json.Replace(what, by, StringComparison.Ordinal);
            if (changed != json || what != "}}")
            {
                Assert.NotEqual(json, changed);
                Assert.Throws<LogFormatException>(() => LogReceipt.Parse(Encoding.UTF8.GetBytes(changed)));
            }
        }

        foreach (var text in new[] { "", "null", "[]", "1", "{}", json[..^1], $"{json} {json}", $"[{json}]" })
        {
            Assert.Throws<LogFormatException>(() => LogReceipt.Parse(Encoding.UTF8.GetBytes(text)));
        }

        Assert.Throws<LogFormatException>(() => LogReceipt.Parse(new byte[LogReceipt.MaxBytes + 1]));
    }

    [Fact]
    public void After_a_rotation_the_next_batch_is_signed_by_the_new_key()
    {
        using var second = Keys.Private(2);
        var rotated = new Ed25519Signer(Keys.Origin, second);
        var signer = new BatchSigner(Keys.Origin, Keys.Log);
        var before = LogReceipt.From(new BatchReceipts(signer, LeafBatch.Of(Events(Stream("m"), 1, 1)), 1).Of(0), Keys.Origin);
        signer.Signer = rotated;
        var after = LogReceipt.From(new BatchReceipts(signer, LeafBatch.Of(Events(Stream("m"), 2, 1)), 2).Of(0), Keys.Origin);
        Assert.True(before.Verify(Keys.Log.Key).Holds);
        Assert.True(after.Verify(rotated.Key).Holds);
        Assert.False(after.Verify(Keys.Log.Key).Holds);
    }
}
