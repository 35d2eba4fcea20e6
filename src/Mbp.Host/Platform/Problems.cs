using System.Diagnostics;
using Mbp.Ledger;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Mbp.Host.Platform;

/// <summary>One field of a request that breaks a rule.</summary>
/// <param name="Field">Its name as sent; a path such as <c>params.lower</c> for a nested one.</param>
/// <param name="Rule">What is asked of it.</param>
public sealed record FieldError(string Field, string Rule);

/// <summary>The one place that turns a refusal into an RFC 9457 problem. <c>code</c> is stable; <c>errors</c> names fields and rules.</summary>
public static class Problems
{
    public static ProblemHttpResult From(Rejection rejection)
    {
        ArgumentNullException.ThrowIfNull(rejection);
        var problem = Details(Status(rejection.Kind), rejection.Code, rejection.Message, rejection.Field is { } field ? [new FieldError(field, rejection.Message)] : []);
        if (rejection.Rule is { } rule)
        {
            problem.Extensions["rule"] = rule;
        }

        if (rejection.PolicyHash is { } hash)
        {
            problem.Extensions["policyHash"] = hash;
        }

        return TypedResults.Problem(problem);
    }

    public static ProblemHttpResult Make(int status, string code, string detail, params IReadOnlyList<FieldError> errors) =>
        TypedResults.Problem(Details(status, code, detail, errors));

    public static ProblemDetails Details(int status, string code, string detail, params IReadOnlyList<FieldError> errors)
    {
        var problem = new ProblemDetails { Status = status, Title = Title(status), Detail = detail, Type = $"urn:mbp:problem:{code}" };
        problem.Extensions["code"] = code;
        if (errors is { Count: > 0 })
        {
            problem.Extensions["errors"] = errors;
        }

        return problem;
    }

    /// <summary>The trace id alone: what logs, spans and the ledger's correlation ids carry.</summary>
    public static void AttachTrace(ProblemDetails problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (Activity.Current is { } activity)
        {
            problem.Extensions["traceId"] = activity.TraceId.ToHexString();
        }
    }

    private static int Status(RejectionKind kind) => kind switch
    {
        RejectionKind.Invalid => StatusCodes.Status400BadRequest,
        RejectionKind.Forbidden => StatusCodes.Status403Forbidden,
        RejectionKind.NotFound => StatusCodes.Status404NotFound,
        RejectionKind.Conflict => StatusCodes.Status409Conflict,
        RejectionKind.Refused => StatusCodes.Status422UnprocessableEntity,
        _ => throw new InvalidOperationException($"{kind} has no status."),
    };

    private static string Title(int status) => status switch
    {
        StatusCodes.Status400BadRequest => "The request is not valid.",
        StatusCodes.Status401Unauthorized => "A key is needed.",
        StatusCodes.Status403Forbidden => "This key may not do that.",
        StatusCodes.Status404NotFound => "Not found.",
        StatusCodes.Status405MethodNotAllowed => "The route does not take this method.",
        StatusCodes.Status409Conflict => "Not in the present state.",
        StatusCodes.Status413PayloadTooLarge => "The body is too large.",
        StatusCodes.Status415UnsupportedMediaType => "The body is not JSON.",
        StatusCodes.Status422UnprocessableEntity => "Refused by a rule.",
        StatusCodes.Status503ServiceUnavailable => "Not now.",
        _ => "The request failed.",
    };
}
