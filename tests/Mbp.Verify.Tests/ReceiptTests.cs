using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using static Mbp.Verify.Tests.Run;

namespace Mbp.Verify.Tests;

public sealed class ReceiptTests : IDisposable
{
    private readonly LogKeyPair _key = new();
    private readonly Scratch _scratch = new();

    public void Dispose()
    {
        _key.Dispose();
        _scratch.Dispose();
    }

    [Fact]
    public async Task A_receipt_holds_until_the_log_has_something_else_there()
    {
        var events = Exports.All(Ledger.Events);
        await Exports.WriteAsync(_scratch["log"], _key, events);
        var receipt = await ReceiptAsync(events, position: 300);
        Assert.Equal(0, (await VerifyAsync("receipt", receipt, "--vkey", _key.Vkey)).Exit);
        var (exit, output) = await VerifyAsync("receipt", receipt, "--vkey", _key.Vkey, "--log", _scratch["log"]);
        Assert.True(exit == 0, output);

        // Left out: what came after it takes its place.
        await Exports.WriteAsync(_scratch["omitted"], _key, [.. events.Take(299), .. events.Skip(300).Select(e => e with { Position = e.Position - 1, Event = e.Event! with { Position = e.Position - 1 } })]);
        (exit, output) = await VerifyAsync("receipt", receipt, "--vkey", _key.Vkey, "--log", _scratch["omitted"]);
        Assert.Equal(1, exit);
        Assert.Contains("position 300", output, StringComparison.Ordinal);
        Assert.Contains("convict the log", output, StringComparison.Ordinal);

        // Not there yet.
        await Exports.WriteAsync(_scratch["early"], _key, [.. events.Take(299)]);
        (exit, output) = await VerifyAsync("receipt", receipt, "--vkey", _key.Vkey, "--log", _scratch["early"]);
        Assert.Equal(2, exit);
        Assert.Contains("NOT DECIDED", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_receipt_of_another_key_or_leaf_is_refused()
    {
        using var other = new LogKeyPair();
        var receipt = await ReceiptAsync(Exports.All(Ledger.Events), position: 10);
        Assert.Equal(1, (await VerifyAsync("receipt", receipt, "--vkey", other.Vkey)).Exit);
        var text = await File.ReadAllTextAsync(receipt);
        await File.WriteAllTextAsync(receipt, text.Replace("\"position\":10", "\"position\":11", StringComparison.Ordinal));
        Assert.Equal(1, (await VerifyAsync("receipt", receipt, "--vkey", _key.Vkey, "--json")).Exit);
        await File.WriteAllTextAsync(receipt, "{}");
        // A file that is none says nothing of the log.
        Assert.Equal(2, (await VerifyAsync("receipt", receipt, "--vkey", _key.Vkey)).Exit);
        Assert.Equal(2, (await VerifyAsync("receipt", receipt)).Exit);
    }

    [Fact]
    public async Task A_key_signs_receipts_for_its_own_time_only()
    {
        var receipt = await ReceiptAsync(Exports.All(Ledger.Events), position: 10);
        await File.WriteAllTextAsync(_scratch["vkeys"], $"{_key.Vkey} 0 10\n");
        Assert.Equal(0, (await VerifyAsync("receipt", receipt, "--vkeys", _scratch["vkeys"])).Exit);
        await File.WriteAllTextAsync(_scratch["vkeys"], $"{_key.Vkey} 0 9\n");
        var (exit, output) = await VerifyAsync("receipt", receipt, "--vkeys", _scratch["vkeys"]);
        Assert.Equal(1, exit);
        Assert.Contains("proves nothing against the log", output, StringComparison.Ordinal);
    }

    // A commit of four events, of which the receipt is for one; as a command's answer has it inside.
    private async Task<string> ReceiptAsync(IReadOnlyList<ExportedEvent> events, long position)
    {
        var first = position - 2;
        MerkleHash[] leaves = [.. events.Skip((int)first - 1).Take(4).Select(e => MerkleTree.LeafHash(Exports.Entry(e)))];
        var batch = new BatchNote(LogKeyPair.Origin, first, leaves.Length, MerkleTree.Root(leaves));
        var receipt = new LogReceipt(
            LogKeyPair.Origin, position, leaves[2], MerkleProof.Inclusion(leaves, 2), batch, _key.Signer.Key.KeyId, _key.Signer.Sign(batch.ToUtf8()));
        await File.WriteAllTextAsync(_scratch["receipt.json"], $$"""{"tradeId":"t1","receipt":{{receipt.ToJson()}}}""");
        return _scratch["receipt.json"];
    }
}
