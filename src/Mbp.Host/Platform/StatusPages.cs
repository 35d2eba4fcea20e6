using Microsoft.AspNetCore.Diagnostics;

namespace Mbp.Host.Platform;

/// <summary>Gives the framework's bare refusals (no such route, no such method, not JSON) the same shape as ours.</summary>
internal static class StatusPages
{
    public static Task WriteAsync(StatusCodeContext context)
    {
        var http = context.HttpContext;
        var (code, detail) = http.Response.StatusCode switch
        {
            404 => ("request.unknown_route", $"There is no route {http.Request.Path}. See /openapi/v2.json."),
            405 => ("request.method_not_allowed", $"{http.Request.Path} does not take {http.Request.Method}."),
            413 => ("request.too_large", "The body is larger than 64 KiB."),
            415 => ("request.not_json", "Send the body as application/json."),
            _ => ("request.failed", "The request failed."),
        };
        return TypedResults.Problem(Problems.Details(http.Response.StatusCode, code, detail)).ExecuteAsync(http);
    }
}
