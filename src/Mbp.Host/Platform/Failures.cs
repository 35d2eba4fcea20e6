using System.Globalization;
using System.Text.Json;
using Mbp.Ledger;
using Mbp.Ledger.Postgres.Reading;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Diagnostics;
using Npgsql;

namespace Mbp.Host.Platform;

/// <summary>What is left at the edge when an endpoint throws: a malformed body, a ledger that cannot take commands now, or a bug.</summary>
internal sealed class Failures(ILogger<Failures> log) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext http, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is OperationCanceledException && http.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there any more to be answered.
            http.Response.StatusCode = 499;
            return true;
        }

        var problem = exception switch
        {
            BadHttpRequestException e => Malformed(e),
            LedgerBusyException e => Problems.Details(503, "ledger.busy", e.Message),
            NotWriterException e => NotWriter(e),
            UnknownOutcomeException e => Problems.Details(503, "ledger.unknown_outcome", e.Message),
            TablesMissingException e => Problems.Details(503, "reads.behind", e.Message),
            ReadStoppedException e => Stopped(e),
            NpgsqlException => Problems.Details(503, "ledger.unavailable", "The database does not answer; nothing was read or written."),
            ReadBehindException { Field: { } field } e => Problems.Details(503, "reads.behind", e.Message, new FieldError(field, e.Message)),
            ReadBehindException e => Problems.Details(503, "reads.behind", e.Message),
            _ => Bug(exception),
        };

        http.Response.StatusCode = problem.Status!.Value;
        if (problem.Status == 503)
        {
            http.Response.Headers.RetryAfter = 1.ToString(CultureInfo.InvariantCulture);
        }

        await TypedResults.Problem(problem).ExecuteAsync(http).ConfigureAwait(false);
        return true;
    }

    /// <summary>Turns the JSON reader's complaint into the field and the rule that it breaks.</summary>
    private static Microsoft.AspNetCore.Mvc.ProblemDetails Malformed(BadHttpRequestException exception)
    {
        if (exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return Problems.Details(413, "request.too_large", "The body is larger than 64 KiB.");
        }

        if (exception.StatusCode == StatusCodes.Status415UnsupportedMediaType)
        {
            return Problems.Details(415, "request.not_json", "Send the body as application/json.");
        }

        if (exception.InnerException is not JsonException json)
        {
            return exception.Message.Contains("body", StringComparison.OrdinalIgnoreCase)
                ? Problems.Details(400, "request.invalid", "A JSON object is needed as the body.", new FieldError("body", "Is a JSON object."))
                : Problems.Details(400, "request.invalid", exception.Message);
        }

        var field = json.Path is { Length: > 2 } path && path.StartsWith("$.", StringComparison.Ordinal) ? path[2..] : "body";
        var rule =
            json.Message.Contains("could not be mapped to any .NET member", StringComparison.Ordinal) ? "is no field of this request"
            : json.Message.Contains("duplicate", StringComparison.OrdinalIgnoreCase) ? "appears more than once"
            : json.Message.Contains("could not be converted", StringComparison.Ordinal) ? "has the wrong type: amounts, prices, ids and instants are JSON strings"
            : json.Path is null or "$" ? "is not valid JSON"
            : "is not valid";
        if (field == "body" && json.Message.Contains('\'', StringComparison.Ordinal) && rule.StartsWith("is no field", StringComparison.Ordinal))
        {
            field = json.Message.Split('\'')[1];
        }

        return Problems.Details(400, "request.invalid", $"{field} {rule}.", new FieldError(field, rule));
    }

    private static Microsoft.AspNetCore.Mvc.ProblemDetails NotWriter(NotWriterException exception)
    {
        var problem = Problems.Details(
            503, "ledger.not_writer", exception.Holder is null ? $"{exception.Message} Try again in a moment." : $"{exception.Message} Send commands there.");
        if (exception.Holder is { } holder)
        {
            problem.Extensions["writer"] = holder;
        }

        return problem;
    }

    private static Microsoft.AspNetCore.Mvc.ProblemDetails Stopped(ReadStoppedException exception)
    {
        var problem = Problems.Details(503, "reads.stopped", exception.Message, new FieldError("min_position", "Is beyond the event that the projection stopped at."));
        problem.Extensions["projection"] = exception.Projection;
        problem.Extensions["event"] = string.Create(CultureInfo.InvariantCulture, $"{exception.Type} at {exception.Position}");
        return problem;
    }

    private Microsoft.AspNetCore.Mvc.ProblemDetails Bug(Exception exception)
    {
        Log.RequestFailed(log, exception);
        return Problems.Details(500, "internal", "Something here is broken; the trace id leads to the log line.");
    }
}
