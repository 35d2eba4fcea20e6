namespace Mbp.Ledger;

/// <summary>
/// A read model as a pure fold to rows: which row an event belongs to (none: null) and what it makes of that row (removed: null).
/// Raise <paramref name="Version"/> when its meaning changes and it is rebuilt.
/// </summary>
public sealed record Projection<TKey, TRow>(
    string Name,
    int Version,
    Func<Recorded, TKey?> Key,
    Func<TRow?, Recorded, TRow?> Apply)
    where TKey : notnull
    where TRow : class
{
    /// <summary>Applies one event to rows held in memory.</summary>
    public void ApplyTo(IDictionary<TKey, TRow> rows, Recorded recorded)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (Key(recorded) is not { } key)
        {
            return;
        }

        rows.TryGetValue(key, out var row);
        if (Apply(row, recorded) is { } next)
        {
            rows[key] = next;
        }
        else
        {
            rows.Remove(key);
        }
    }
}
