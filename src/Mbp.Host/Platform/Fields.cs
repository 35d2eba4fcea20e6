using System.Globalization;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Host.Platform;

/// <summary>
/// Reads a request's fields into the domain's values and gathers every fault, so that one answer names all of them. A reader that finds a
/// fault returns a default; ask <see cref="Problem"/> before using any of them.
/// </summary>
internal sealed class Fields
{
    private readonly List<FieldError> _errors = [];

    /// <summary>The problem to answer with, if any field was at fault.</summary>
    public ProblemHttpResult? Problem() => _errors.Count == 0
        ? null
        : Problems.Make(400, "request.invalid", string.Join(" ", _errors.Select(e => $"{e.Field}: {e.Rule}")), _errors);

    public void Fail(string field, string rule) => _errors.Add(new FieldError(field, rule));

    public string Text(string field, string? value, int longest, int shortest = 1)
    {
        if (value is null)
        {
            Fail(field, "Is required.");
        }
        else if (value.Length < shortest || value.Length > longest)
        {
            Fail(field, string.Create(CultureInfo.InvariantCulture, $"Has {shortest} to {longest} characters."));
        }
        else if (value.Any(char.IsControl) || !IsWellFormed(value))
        {
            Fail(field, "Has no control characters and is well-formed Unicode.");
        }

        return value ?? "";
    }

    public string OneOf(string field, string? value, params IReadOnlyList<string> allowed)
    {
        if (value is null || !allowed.Contains(value, StringComparer.Ordinal))
        {
            Fail(field, $"Is one of {string.Join(", ", allowed)}.");
        }

        return value ?? "";
    }

    public void Absent(string field, object? value, string when)
    {
        if (value is not null)
        {
            Fail(field, $"Does not go with {when}.");
        }
    }

    public AccountId Account(string field, string? value) => new(Id(field, value));

    public MarketId Market(string field, string? value) => new(Id(field, value));

    public string Id(string field, string? value)
    {
        if (!Identifier.IsValid(value))
        {
            Fail(field, $"Is {Identifier.Rule}.");
        }

        return value ?? "";
    }

    public Credits Credits(string field, string? value) => Units<Credits>(field, value);

    public Credits? OptionalCredits(string field, string? value) => value is null ? null : Credits(field, value);

    public Shares Shares(string field, string? value) => Units<Shares>(field, value);

    public Shares? OptionalShares(string field, string? value) => value is null ? null : Shares(field, value);

    public LpShares LpShares(string field, string? value) => Units<LpShares>(field, value);

    public Price Price(string field, string? value) => Units<Price>(field, value);

    public Instant? OptionalInstant(string field, string? value)
    {
        if (value is null)
        {
            return null;
        }

        var parsed = InstantPattern.ExtendedIso.Parse(value);
        // Before the epoch there is nothing to ask for, and the database's and the calendar's first years differ.
        if (parsed.Success && parsed.Value >= Instant.FromUnixTimeTicks(0))
        {
            return parsed.Value;
        }

        Fail(field, "Is a UTC instant from 1970 on, such as 2026-12-31T23:59:59Z.");
        return null;
    }

    private TUnits Units<TUnits>(string field, string? value)
        where TUnits : struct, IUnits<TUnits>
    {
        if (value is null)
        {
            Fail(field, "Is required: a decimal string such as \"12.5\".");
        }
        else if (!Decimal8.TryParse(value, out var units, out var rule))
        {
            Fail(field, rule!);
        }
        else
        {
            return TUnits.FromUnits(units);
        }

        return default;
    }

    private static bool IsWellFormed(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                return false;
            }
        }

        return true;
    }
}
