using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Log;
using Mbp.Ledger.Writing;

namespace Mbp.Host.Anchoring;

/// <summary>
/// Signs the writer's batches, and knows how far each key has signed: a key may be retired only under a checkpoint that covers all of its receipts.
/// </summary>
internal sealed class ReceiptSigner : IBatchSigner
{
    private readonly Lock _gate = new();
    private readonly Dictionary<uint, long> _signedTo = [];
    private BatchSigner? _signer;

    /// <summary>A signer with the oldest key in force; without a key where its private half is not here, and then answers carry no receipts.</summary>
    /// <exception cref="PostgresSetupException">The key's file holds something else.</exception>
    public static async Task<ReceiptSigner> OfAsync(PublicLog log, CancellationToken cancellationToken)
    {
        var receipts = new ReceiptSigner();
        await receipts.RenewAsync(log, cancellationToken).ConfigureAwait(false);
        return receipts;
    }

    /// <summary>Has the oldest key in force of the present epoch sign from the next batch on.</summary>
    /// <exception cref="PostgresSetupException">The key's file holds something else.</exception>
    public async Task RenewAsync(PublicLog log, CancellationToken cancellationToken)
    {
        try
        {
            if (await log.SignerAsync(cancellationToken).ConfigureAwait(false) is { } signer)
            {
                Use(signer);
            }
        }
        catch (LogFormatException e)
        {
            throw new PostgresSetupException(e.Message, e);
        }
    }

    /// <summary>The key that signs.</summary>
    public VerifierKey? Key
    {
        get
        {
            lock (_gate)
            {
                return _signer?.Signer.Key;
            }
        }
    }

    /// <summary>Has another key sign from the next batch on.</summary>
    public void Use(ICheckpointSigner signer)
    {
        lock (_gate)
        {
            // A key is named after its log.
            _signer = new BatchSigner(signer.Key.Name, signer);
        }
    }

    /// <summary>The last position under a receipt of a key; 0 = it signed none in this process.</summary>
    public long SignedTo(VerifierKey key)
    {
        lock (_gate)
        {
            return _signedTo.GetValueOrDefault(key.KeyId);
        }
    }

    public BatchSignature Sign(MerkleHash root, long firstPosition, int size)
    {
        // Never waited for but in the moment of a rotation.
        lock (_gate)
        {
            var signature = (_signer ?? throw new InvalidOperationException("No key of the public log is here to sign receipts with.")).Sign(root, firstPosition, size);
            _signedTo[signature.KeyId] = Math.Max(_signedTo.GetValueOrDefault(signature.KeyId), firstPosition + size - 1);
            return signature;
        }
    }
}
