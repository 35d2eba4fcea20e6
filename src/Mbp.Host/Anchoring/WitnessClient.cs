using System.Net;
using System.Text;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;

namespace Mbp.Host.Anchoring;

/// <summary>How a submission ended, where the witness answered.</summary>
internal abstract record WitnessOutcome
{
    private WitnessOutcome()
    {
    }

    /// <summary>It signed; the line was verified.</summary>
    public sealed record Signed(NoteSignature Line) : WitnessOutcome;

    /// <summary>It has signed a larger tree already: another host was faster, or this log has lost its end.</summary>
    public sealed record Ahead(long Size) : WitnessOutcome;

    /// <summary>It does not sign, and asking again changes nothing.</summary>
    /// <param name="Fork">The witness has seen another history of this log.</param>
    public sealed record Refused(string Why, bool Fork) : WitnessOutcome;
}

/// <summary>One witness, asked by C2SP tlog-witness. Remembers what it signed last; one thread at a time.</summary>
internal sealed class WitnessClient(HttpClient http, WitnessAddress witness)
{
    // The size it knows, told once, and perhaps another host in between.
    private const int Attempts = 4;

    // A line has some two hundred.
    private const int MostBytes = 16 * 1024;

    private string _origin = "";
    private long _size;

    /// <summary>Submits a checkpoint.</summary>
    /// <param name="consistency">The proof from a size to the checkpoint's.</param>
    /// <exception cref="HttpRequestException">The witness does not answer, or with what is no answer.</exception>
    public async Task<WitnessOutcome> SubmitAsync(SignedNote note, Func<long, CancellationToken, ValueTask<IReadOnlyList<MerkleHash>>> consistency, CancellationToken ct)
    {
        var checkpoint = Checkpoint.Of(note);
        // Of another epoch the witness has signed nothing yet, as far as is known.
        (_origin, _size) = (checkpoint.Origin, checkpoint.Origin == _origin ? _size : 0);
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            if (_size > checkpoint.Size)
            {
                // What is remembered may be old by then: the witness is asked anew, from nothing.
                var ahead = _size;
                _size = 0;
                return new WitnessOutcome.Ahead(ahead);
            }

            var old = _size;
            var request = new AddCheckpoint(old, await consistency(old, ct).ConfigureAwait(false), note);
            var (status, type, body) = await PostAsync(request.ToUtf8(), ct).ConfigureAwait(false);
            switch (status)
            {
                case HttpStatusCode.OK:
                    _size = checkpoint.Size;
                    return new WitnessOutcome.Signed(Own(note.Text, body));
                case HttpStatusCode.Conflict when type == AddCheckpoint.SizeType && AddCheckpoint.SizeOf(body) is { } size && size != old:
                    _size = size;
                    break;
                case HttpStatusCode.Conflict:
                    return new WitnessOutcome.Refused($"it has signed another tree of size {old}", Fork: true);
                case HttpStatusCode.UnprocessableEntity:
                    return new WitnessOutcome.Refused($"the tree of size {checkpoint.Size} does not extend what it signed at size {old}", Fork: true);
                case HttpStatusCode.NotFound:
                    return new WitnessOutcome.Refused($"it does not watch {checkpoint.Origin}", Fork: false);
                case HttpStatusCode.Forbidden:
                    return new WitnessOutcome.Refused("it does not know the key that signed the checkpoint", Fork: false);
                case HttpStatusCode.BadRequest:
                    return new WitnessOutcome.Refused($"it does not understand the request: {body.TrimEnd()}", Fork: false);
                default:
                    throw new HttpRequestException($"{witness.Url} answered {(int)status}.");
            }
        }

        throw new HttpRequestException($"{witness.Url} named another size each time it was asked.");
    }

    // Lines of other keys are not ours to judge.
    private NoteSignature Own(string text, string body)
    {
        try
        {
            return body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(NoteSignature.Parse)
                       .FirstOrDefault(line => Cosignature.Verify(witness.Key, text, line) is not null)
                   ?? throw new HttpRequestException($"{witness.Url} answered without a signature of {witness.Key}.");
        }
        catch (LogFormatException e)
        {
            throw new HttpRequestException($"{witness.Url} answered with something else than signature lines.", e);
        }
    }

    private async Task<(HttpStatusCode Status, string? Type, string Body)> PostAsync(byte[] request, CancellationToken ct)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, new Uri(witness.Url, "add-checkpoint")) { Content = new ByteArrayContent(request) };
        using var answer = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, ct).ConfigureAwait(false);
        await answer.Content.LoadIntoBufferAsync(MostBytes, ct).ConfigureAwait(false);
        var body = Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync(ct).ConfigureAwait(false));
        return (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType, body);
    }
}
