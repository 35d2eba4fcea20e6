using System.Text.Json.Nodes;
using Mbp.Domain.Governance.Custody;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres.Custody;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Custody;

/// <param name="Position">The event's.</param>
/// <param name="Fields">The names of the texts in its body.</param>
/// <param name="Why">On whose request, under which rule; it is public, and never what is erased.</param>
public sealed record ErasureRequest(long? Position, IReadOnlyList<string>? Fields, string? Why);

/// <param name="Erased">The position of the event whose texts are gone.</param>
/// <param name="Stream">Its stream.</param>
/// <param name="Type">Its wire name.</param>
/// <param name="Fields">The texts that were asked for.</param>
/// <param name="Position">The position of the event that says so, also where that was said before.</param>
public sealed record ErasureResponse(long Erased, string Stream, string Type, IReadOnlyList<string> Fields, long Position);

internal static class ErasureEndpoints
{
    private const int MostFields = 10;

    public static void Map(RouteGroupBuilder v2) =>
        v2.MapPost("/custody/erasures", EraseAsync).OperatorsOnly().WithName("erasePayload").WithSummary("Take free texts of an event out of the ledger, for good");

    private static async Task<Results<Ok<ErasureResponse>, ProblemHttpResult>> EraseAsync(
        ErasureRequest request, HttpContext http, Commands commands, ErasureWorker worker, IEventStore store, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var why = fields.Text("why", request.Why, longest: CustodyDecider.LongestWhy);
        if (request.Position is not > 0)
        {
            fields.Fail("position", "Is the position of an event: 1 or more.");
        }

        if (request.Fields is not { Count: > 0 and <= MostFields } named || named.Any(name => !Identifier.IsValid(name)))
        {
            fields.Fail("fields", "Names 1 to 10 fields of the event's body.");
        }

        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var position = request.Position!.Value;
        if (await AtAsync(store, position, cancellationToken) is not { } stored)
        {
            return Problems.From(CustodyErrors.EventNotFound);
        }

        // The decider knows which texts of a type may go; only the body tells whether it has them.
        var texts = request.Fields!.Order(StringComparer.Ordinal).Distinct(StringComparer.Ordinal).ToList();
        if (texts.FirstOrDefault(text => !IsText(stored, text)) is { } missing)
        {
            return Problems.From(CustodyErrors.NotErasable(stored.Type, missing));
        }

        var rest = Erased.RestOf(Erasures.Without(stored.Data, texts), stored.Headers.Span);
        var operation = Operation.On(
            CustodyDecider.Decider, LogCustody.Fold.Of(LogCustody.Stream),
            at => new ErasePayload(position, stored.Stream.Value, stored.Type, [.. texts], rest, why, at));
        var outcome = await commands.SendAsync(http, operation, request, cancellationToken);
        if (outcome.Rejection is { } rejection)
        {
            return Problems.From(rejection);
        }

        // Announced is announced: what is left is done even where the caller does not wait for it.
        var announced = await worker.CarryOutAsync(position, CancellationToken.None);
        return TypedResults.Ok(new ErasureResponse(position, stored.Stream.Value, stored.Type, texts, announced));
    }

    private static async Task<StoredEvent?> AtAsync(IEventStore store, long position, CancellationToken cancellationToken)
    {
        await foreach (var stored in store.ReadRangeAsync(position - 1, position, cancellationToken))
        {
            return stored;
        }

        return null;
    }

    private static bool IsText(StoredEvent stored, string field) =>
        JsonNode.Parse(stored.Data.Span) is JsonObject body && body[field]?.GetValueKind() == System.Text.Json.JsonValueKind.String;
}
