using Mbp.Host.Platform;
using Mbp.Ledger.Log;
using Mbp.Ledger.Postgres.Log;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime.Text;

namespace Mbp.Host.Anchoring;

/// <summary>What operators do to the public log: have it signed now, and rotate its keys.</summary>
internal static class LogOperations
{
    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapPost("/log/checkpoint", SignAsync).OperatorsOnly().WithName("signLog").WithSummary("Sign the log up to its head; a halted keeper tries again");
        v2.MapGet("/log/keys", KeysAsync).OperatorsOnly().WithName("listLogKeys").WithSummary("The log's keys and the sizes that they may sign");
        v2.MapPost("/log/keys/rotate", RotateAsync).OperatorsOnly().WithName("rotateLogKeys").WithSummary("Add the next key; once it is known for 14 days (or now), retire the old one");
        v2.MapPost("/log/epochs", OpenEpochAsync).OperatorsOnly().WithName("openLogEpoch").WithSummary("Give a log up that cannot go on, and begin the next one; refused while it is healthy");
    }

    private static async Task<Results<Ok<EpochResponse>, ProblemHttpResult>> OpenEpochAsync(
        OpenEpochRequest request, HttpContext http, LogEpochs epochs, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var confirm = fields.Text("confirm", request.Confirm, longest: 255);
        var reason = fields.Text("reason", request.Reason, longest: 500);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        try
        {
            var (opened, rejection) = await epochs.OpenAsync(confirm, reason, Context(http), cancellationToken);
            return rejection is not null
                ? Problems.From(rejection)
                : TypedResults.Ok(new EpochResponse(opened!.Log.Origin, opened.Log.Epoch, opened.Position, opened.Quoted.Format(), opened.Note.Format()));
        }
        catch (Exception e) when (e is LogHaltException or LogElsewhereException or TimeoutException)
        {
            return Refused(e);
        }
    }

    private static CommandContext Context(HttpContext http) => new(Principal.Of(http).Id, System.Diagnostics.Activity.Current?.TraceId.ToHexString() ?? http.TraceIdentifier);

    private static async Task<Results<Ok<CheckpointResponse>, ProblemHttpResult>> SignAsync(LogKeeper keeper, CancellationToken cancellationToken)
    {
        try
        {
            var note = await keeper.SignNowAsync(cancellationToken).WaitAsync(TimeSpan.FromSeconds(30), cancellationToken);
            var checkpoint = Checkpoint.Of(note);
            return TypedResults.Ok(new CheckpointResponse(checkpoint.Origin, checkpoint.Size, Convert.ToBase64String(checkpoint.Root.ToArray()), note.Format()));
        }
        catch (Exception e) when (e is LogHaltException or LogElsewhereException or TimeoutException)
        {
            return Refused(e);
        }
    }

    private static async Task<Ok<LogKeysResponse>> KeysAsync(KeyRotation rotation, ReceiptSigner receipts, CancellationToken cancellationToken) =>
        TypedResults.Ok(new LogKeysResponse("listed", null, await ItemsAsync(rotation, receipts, cancellationToken)));

    private static async Task<Results<Ok<LogKeysResponse>, ProblemHttpResult>> RotateAsync(
        RotateKeysRequest request, HttpContext http, KeyRotation rotation, ReceiptSigner receipts, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var reason = request.Reason is null ? null : fields.Text("reason", request.Reason, longest: 500);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        try
        {
            var (done, from, rejection) = await rotation.StepAsync(request.Now == true, reason, Context(http), cancellationToken);
            return rejection is not null
                ? Problems.From(rejection)
                : TypedResults.Ok(new LogKeysResponse(done, from is { } at ? InstantPattern.ExtendedIso.Format(at) : null, await ItemsAsync(rotation, receipts, cancellationToken)));
        }
        catch (Exception e) when (e is LogHaltException or LogElsewhereException or TimeoutException)
        {
            return Refused(e);
        }
    }

    private static async Task<IReadOnlyList<LogKeyItem>> ItemsAsync(KeyRotation rotation, ReceiptSigner receipts, CancellationToken cancellationToken)
    {
        var today = receipts.Key;
        return [.. (await rotation.KeysAsync(cancellationToken)).Select(key => new LogKeyItem(key.Id, key.Key.ToString(), key.From, key.Until, key.Key == today))];
    }

    private static ProblemHttpResult Refused(Exception e) => e switch
    {
        LogHaltException halt => Problems.Make(409, $"log.halted_{halt.Fault.Kind}", halt.Fault.What),
        LogElsewhereException => Problems.Make(409, "log.elsewhere", e.Message),
        _ => Problems.Make(503, "log.not_signed_yet", "The keeper has not signed in time; /health/ready says how it stands."),
    };
}
