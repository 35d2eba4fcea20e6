using System.Buffers;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Ledger.Json;

namespace Mbp.Domain.Units;

/// <summary>The domain's values in a <see cref="StoredBody"/>, by the same rules as their converters: what breaks one is left to the converter.</summary>
internal static class StoredValues
{
    private const int MostOutcomes = 32;

    private static readonly SearchValues<byte> InIds = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-"u8);

    public static bool TryUnits<TValue>(this ref StoredBody body, ReadOnlySpan<byte> name, out TValue value)
        where TValue : struct, IUnits<TValue>
    {
        value = default;
        if (!body.TryText(name, out ReadOnlySpan<byte> text) || !Decimal8.TryParse(text, out var units))
        {
            return false;
        }

        value = TValue.FromUnits(units);
        return true;
    }

    public static bool TryUnits<TValue>(this ref StoredBody body, ReadOnlySpan<byte> name, out EquatableArray<TValue> values)
        where TValue : struct, IUnits<TValue>
    {
        values = default;
        Span<long> units = stackalloc long[MostOutcomes];
        var count = 0;
        for (var more = body.TryList(name); more; count++)
        {
            if (count == MostOutcomes || !body.TryItem(out var text, out more) || !Decimal8.TryParse(text, out units[count]))
            {
                return false;
            }
        }

        var items = new TValue[count];
        for (var i = 0; i < count; i++)
        {
            items[i] = TValue.FromUnits(units[i]);
        }

        values = EquatableArray.Own(items);
        return count > 0;
    }

    public static bool TryId(this ref StoredBody body, ReadOnlySpan<byte> name, out AccountId id)
    {
        var found = TryId(ref body, name, out string text);
        id = new AccountId(text);
        return found;
    }

    public static bool TryId(this ref StoredBody body, ReadOnlySpan<byte> name, out MarketId id)
    {
        var found = TryId(ref body, name, out string text);
        id = new MarketId(text);
        return found;
    }

    private static bool TryId(ref StoredBody body, ReadOnlySpan<byte> name, out string id)
    {
        var found = body.TryText(name, out ReadOnlySpan<byte> text)
                    && text.Length is > 0 and <= Identifier.MaxLength && char.IsAsciiLetterOrDigit((char)text[0]) && !text.ContainsAnyExcept(InIds);
        id = found ? RecurringText.Of(text) : "";
        return found;
    }
}
