using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Mbp.Host.Platform;

/// <summary><c>/openapi/v2.json</c>: what the routes themselves say, with the key, the headers and the problems that they share.</summary>
internal static class OpenApiDocument
{
    private static readonly (string Status, string Text)[] SharedProblems =
    [
        ("400", "The request is not valid; `errors` names each field and its rule."),
        ("401", "The key is missing or unknown."),
        ("403", "The key may not do that."),
        ("404", "What the route names does not exist."),
        ("409", "Not in the present state, or the idempotency key was used for another command."),
        ("422", "Refused by a rule of the market or the account."),
        ("503", "The ledger cannot take it now; see `Retry-After` and `code`."),
    ];

    public static void Configure(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "MBP",
                Version = "v2",
                Description = "Prediction markets on an append-only ledger. Amounts, prices and shares are decimal strings with at most 8 decimals. "
                              + "Every answer to a command carries the ledger `position` that a read may ask for with `min_position`. "
                              + "Problems follow RFC 9457 with a stable `code`.",
            };
            document.Servers = [];
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
            document.Components.SecuritySchemes["key"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer" };
            return Task.CompletedTask;
        });
        options.AddOperationTransformer((operation, context, _) =>
        {
            var path = context.Description.RelativePath ?? "";
            if (!path.StartsWith("v2/", StringComparison.Ordinal))
            {
                return Task.CompletedTask;
            }

            operation.Description ??= operation.Summary;
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("key", context.Document)] = [] }];
            operation.Parameters ??= [];
            if (context.Description.HttpMethod == "GET")
            {
                operation.Parameters.Add(Query("min_position", "Wait (up to 5 s) until the answer shows this ledger position; 503 `reads.behind` where it does not come in time, `reads.stopped` where the tables that it needs stopped before it."));
            }
            else
            {
                operation.Parameters.Add(new OpenApiParameter
                {
                    Name = Commands.KeyHeader, In = ParameterLocation.Header, Schema = new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = 200 },
                    Description = "The same key with the same command is carried out once and answered alike; with another command it is refused.",
                });
            }

            operation.Responses ??= [];
            foreach (var (status, text) in SharedProblems)
            {
                operation.Responses.TryAdd(status, new OpenApiResponse { Description = text });
            }

            return Task.CompletedTask;
        });
    }

    private static OpenApiParameter Query(string name, string description) => new()
    {
        Name = name, In = ParameterLocation.Query, Description = description, Schema = new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int64" },
    };
}
