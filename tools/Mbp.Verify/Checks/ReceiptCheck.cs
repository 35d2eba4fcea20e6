using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Ledger.Log;
using Mbp.Verify.Output;
using Mbp.Verify.Sites;

namespace Mbp.Verify.Checks;

/// <summary>A receipt: first by itself, then held against what the log shows now.</summary>
internal sealed class ReceiptCheck(Trust trust, Report report)
{
    /// <summary>Reads a receipt, or the answer of a command that has one inside.</summary>
    /// <exception cref="CannotAskException">It is neither.</exception>
    public static LogReceipt Read(string file, byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return LogReceipt.Parse(
                document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("receipt", out var inner)
                    ? Encoding.UTF8.GetBytes(inner.GetRawText())
                    : json);
        }
        catch (Exception e) when (e is JsonException or LogFormatException)
        {
            // Whoever handed in the file may have mixed it up: that says nothing of the log.
            throw new CannotAskException($"{file} is no receipt, and no answer of a command that has one ({(e is JsonException ? "it is not JSON" : e.Message)}).", e);
        }
    }

    /// <summary>The signature and the path to it.</summary>
    public bool Alone(string file, LogReceipt receipt)
    {
        if (trust.Keys.FirstOrDefault(key => key.Key.KeyId == receipt.KeyId && key.Key.Name == receipt.Origin) is not { } key)
        {
            report.Fault(
                FaultKind.Signature, $"it is signed by the key {receipt.KeyId:x8} of {receipt.Origin}, which is not trusted (trusted: {string.Join(", ", trust.Keys.Select(k => k.Key))})", file, receipt.Position);
            return false;
        }

        var verdict = receipt.Verify(key.Key);
        if (!verdict.Holds)
        {
            report.Fault(FaultKind.Signature, verdict.ToString(), file, receipt.Position);
            return false;
        }

        if (!key.Covers(receipt.Position))
        {
            report.Fault(
                FaultKind.Signature,
                $"the key {receipt.KeyId:x8} signs positions {key.FromSize} to {(key.UntilSize is { } until ? until.ToString(CultureInfo.InvariantCulture) : "now")} only: whoever signed this had a key whose time was not come, or over, and it proves nothing against the log",
                file, receipt.Position);
            return false;
        }

        report.Checked($"receipt    {file}: {receipt.Origin} signed that position {receipt.Position} has the leaf {receipt.LeafHash}");
        return true;
    }

    /// <summary>Whether the log keeps its word.</summary>
    public async Task KeptAsync(string file, LogReceipt receipt, Checkpoint checkpoint, ISite site, CancellationToken cancellationToken)
    {
        if (receipt.Origin != checkpoint.Origin)
        {
            throw new CannotAskException($"{file} is of the log {receipt.Origin}, this log is {checkpoint.Origin}.");
        }

        if (receipt.Position > checkpoint.Size)
        {
            report.Undecided = $"{file}: the newest checkpoint covers {checkpoint.Size} events, the receipt is of position {receipt.Position}. Ask again in a few seconds; if checkpoints go on and never cover it, the log leaves it out.";
            return;
        }

        try
        {
            var leaf = await TileTree.For(checkpoint, new SiteTiles(site)).HashAsync(0, receipt.Position - 1, cancellationToken).ConfigureAwait(false);
            if (leaf != receipt.LeafHash)
            {
                report.Fault(
                    FaultKind.Receipt, $"the receipt promises the leaf {receipt.LeafHash}, the log of {checkpoint.Size} events has {leaf} there", file, receipt.Position);
                return;
            }

            report.Checked($"kept       position {receipt.Position} of the signed {checkpoint.Size} events is that leaf");
        }
        catch (LogFaultException e)
        {
            report.Fault(e);
        }
        catch (WithheldException e)
        {
            report.Fault(FaultKind.Missing, e.Message, e.Path, receipt.Position);
        }
    }
}
