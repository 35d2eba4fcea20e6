using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.Pkcs;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Mbp.Ledger.Log;

namespace Mbp.Ledger.Postgres.Log.Anchors;

/// <summary>A time-stamping authority (RFC 3161) that signs the note's SHA-256 with the time: it was there by then, whatever its log says later.</summary>
/// <param name="authority">Where it takes requests.</param>
/// <param name="trusted">Its own certificate, or those that it hangs from. With none, nothing is verified and nothing is published.</param>
public sealed class TimestampAnchor(Uri authority, X509Certificate2Collection trusted, HttpClient http) : IAnchor
{
    // A token with its certificates has some thousand.
    private const int MostBytes = 256 * 1024;

    public string Kind => "rfc3161";

    public string Place { get; } = authority.ToString();

    public async Task<AnchorReceipt> PublishAsync(AnchoredCheckpoint checkpoint, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        var request = Rfc3161TimestampRequest.CreateFromData(
            Encoding.UTF8.GetBytes(checkpoint.Note), HashAlgorithmName.SHA256, nonce: RandomNumberGenerator.GetBytes(8), requestSignerCertificates: true);
        var answer = await AskAsync(request.Encode(), ct).ConfigureAwait(false);
        Rfc3161TimestampToken token;
        try
        {
            // Refuses an answer to another request: another hash, another nonce.
            token = request.ProcessResponse(answer, out _);
        }
        catch (CryptographicException e)
        {
            throw new AnchorException($"{Place} answered with no time stamp for the request: {e.Message}", e);
        }

        var receipt = new AnchorReceipt(Place, token.AsSignedCms().Encode());
        return Check(checkpoint, receipt) is { Holds: false } verdict ? throw new AnchorException($"{Place} answered with a time stamp that does not verify: {verdict}") : receipt;
    }

    public Task<Verdict> VerifyAsync(AnchoredCheckpoint checkpoint, AnchorReceipt receipt, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(receipt);
        return Task.FromResult(Check(checkpoint, receipt));
    }

    /// <summary>The time of a receipt, which only means something once it was verified; null where it has none.</summary>
    public static DateTimeOffset? TimeOf(AnchorReceipt receipt)
    {
        ArgumentNullException.ThrowIfNull(receipt);
        return Decode(receipt)?.TokenInfo.Timestamp;
    }

    private Verdict Check(AnchoredCheckpoint checkpoint, AnchorReceipt receipt)
    {
        if (Decode(receipt) is not { } token)
        {
            return Verdict.Bad("The receipt is no RFC 3161 token.");
        }

        X509Certificate2? signer;
        try
        {
            // The signer's certificate is the one in the token: with another to try, a damaged one would pass.
            if (!token.VerifySignatureForData(Encoding.UTF8.GetBytes(checkpoint.Note), out signer))
            {
                return Verdict.Bad("The time stamp is not one of this checkpoint, or its signature is not good.");
            }
        }
        catch (CryptographicException e)
        {
            return Verdict.Bad($"The receipt's certificates cannot be read: {e.Message}");
        }

        return trusted.Any(known => known.RawDataMemory.Span.SequenceEqual(signer.RawDataMemory.Span)) || Hangs(signer, token)
            ? Verdict.Good
            : Verdict.Bad($"The time stamp was signed by {signer.Subject}, which is not the authority given.");
    }

    private bool Hangs(X509Certificate2 signer, Rfc3161TimestampToken token)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(trusted);
        chain.ChainPolicy.ExtraStore.AddRange(token.AsSignedCms().Certificates);
        // A receipt is checked offline, and must be good after the certificate's time, too.
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = token.TokenInfo.Timestamp.LocalDateTime;
        return chain.Build(signer);
    }

    private static Rfc3161TimestampToken? Decode(AnchorReceipt receipt) =>
        Rfc3161TimestampToken.TryDecode(receipt.Content, out var token, out var used) && used == receipt.Content.Length ? token : null;

    private async Task<ReadOnlyMemory<byte>> AskAsync(byte[] request, CancellationToken ct)
    {
        using var content = new ByteArrayContent(request);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/timestamp-query");
        using var message = new HttpRequestMessage(HttpMethod.Post, authority) { Content = content };
        try
        {
            using var answer = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, ct).ConfigureAwait(false);
            if (!answer.IsSuccessStatusCode)
            {
                throw new AnchorException($"{Place} answered {(int)answer.StatusCode}.");
            }

            await answer.Content.LoadIntoBufferAsync(MostBytes, ct).ConfigureAwait(false);
            return await answer.Content.ReadAsByteArrayAsync(ct).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw new AnchorException($"{Place} does not answer: {e.Message}", e);
        }
    }
}
