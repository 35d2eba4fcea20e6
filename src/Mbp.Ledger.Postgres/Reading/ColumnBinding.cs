using System.Globalization;
using System.Numerics;
using System.Text;
using Mbp.Ledger.Reading;
using NodaTime;
using Npgsql;
using NpgsqlTypes;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>How one column's values travel: in an array with those of other rows, or in a row of a binary COPY.</summary>
internal abstract class ColumnBinding<TRow>
{
    public abstract NpgsqlParameter ToParameter(IReadOnlyList<TRow> rows);

    public abstract void Write(CopyBuffer buffer, TRow row);

    public static ColumnBinding<TRow> Of(Column column) => column switch
    {
        Column<TRow, string?> text => new Bound<string?, string>(text, NpgsqlDbType.Text, value => value, (buffer, value) => buffer.Text(value!)),
        Column<TRow, bool> flag => new BoundValue<bool, bool>(flag, NpgsqlDbType.Boolean, value => value, (buffer, value) => buffer.Flag(value)),
        Column<TRow, long?> { Kind: ColumnKind.Amount } amount => new BoundValue<long?, decimal>(
            amount, NpgsqlDbType.Numeric, value => value?.ToDecimal(), (buffer, value) => buffer.Units(value!.Value)),
        Column<TRow, long?> whole => new BoundValue<long?, long>(whole, NpgsqlDbType.Bigint, value => value, (buffer, value) => buffer.Whole(value!.Value)),
        Column<TRow, Int128> sum => new BoundValue<Int128, decimal>(sum, NpgsqlDbType.Numeric, value => value.ToDecimal(), (buffer, value) => buffer.Units(value)),
        Column<TRow, Instant?> time => new BoundValue<Instant?, DateTime>(
            time, NpgsqlDbType.TimestampTz, value => value?.ToTimestamp(), (buffer, value) => buffer.Time(value!.Value)),
        Column<TRow, IReadOnlyList<string>> texts => new BoundList<string>(texts, CopyBuffer.TextType, Quoted, (buffer, value) => buffer.Text(value)),
        Column<TRow, IReadOnlyList<long>> amounts => new BoundList<long>(
            amounts, CopyBuffer.NumericType, value => value.ToDecimal().ToString(CultureInfo.InvariantCulture), (buffer, value) => buffer.Units(value)),
        Column<TRow, IReadOnlyList<Int128>> integrals => new BoundList<Int128>(
            integrals, CopyBuffer.NumericType, value => value.ToString(CultureInfo.InvariantCulture), (buffer, value) => buffer.Integral(value)),
        _ => throw new InvalidOperationException($"Column {column.Name} holds what no table can."),
    };

    private static string Quoted(string text) => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    private sealed class Bound<TValue, TSent>(Column<TRow, TValue> column, NpgsqlDbType type, Func<TValue, TSent?> send, Action<CopyBuffer, TValue> write) : ColumnBinding<TRow>
        where TSent : class
    {
        public override NpgsqlParameter ToParameter(IReadOnlyList<TRow> rows)
        {
            var values = new TSent?[rows.Count];
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = send(column.Get(rows[i]));
            }

            return new NpgsqlParameter { Value = values, NpgsqlDbType = NpgsqlDbType.Array | type };
        }

        public override void Write(CopyBuffer buffer, TRow row)
        {
            if (column.Get(row) is { } value)
            {
                write(buffer, value);
            }
            else
            {
                buffer.Null();
            }
        }
    }

    private sealed class BoundValue<TValue, TSent>(Column<TRow, TValue> column, NpgsqlDbType type, Func<TValue, TSent?> send, Action<CopyBuffer, TValue> write) : ColumnBinding<TRow>
        where TSent : struct
    {
        public override NpgsqlParameter ToParameter(IReadOnlyList<TRow> rows)
        {
            if (column.Nullable)
            {
                var some = new TSent?[rows.Count];
                for (var i = 0; i < some.Length; i++)
                {
                    some[i] = send(column.Get(rows[i]));
                }

                return new NpgsqlParameter { Value = some, NpgsqlDbType = NpgsqlDbType.Array | type };
            }

            var values = new TSent[rows.Count];
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = send(column.Get(rows[i])) ?? throw new InvalidOperationException($"Column {column.Name} has no value in {rows[i]}.");
            }

            return new NpgsqlParameter { Value = values, NpgsqlDbType = NpgsqlDbType.Array | type };
        }

        public override void Write(CopyBuffer buffer, TRow row)
        {
            if (column.Get(row) is { } value)
            {
                write(buffer, value);
            }
            else
            {
                buffer.Null();
            }
        }
    }

    private sealed class BoundList<TItem>(Column<TRow, IReadOnlyList<TItem>> column, int type, Func<TItem, string> print, Action<CopyBuffer, TItem> write)
        : ColumnBinding<TRow>
    {
        public override NpgsqlParameter ToParameter(IReadOnlyList<TRow> rows)
        {
            var values = new string[rows.Count];
            var text = new StringBuilder();
            for (var i = 0; i < values.Length; i++)
            {
                text.Clear().Append('{').AppendJoin(',', column.Get(rows[i]).Select(print)).Append('}');
                values[i] = text.ToString();
            }

            return new NpgsqlParameter { Value = values, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
        }

        public override void Write(CopyBuffer buffer, TRow row)
        {
            var items = column.Get(row);
            var start = buffer.BeginArray(type, items.Count);
            foreach (var item in items)
            {
                write(buffer, item);
            }

            buffer.EndArray(start);
        }
    }
}

/// <summary>Reads a found row's columns one after the other.</summary>
internal sealed class RowReader(NpgsqlDataReader reader) : IRowReader
{
    private int _column;

    public RowReader Next()
    {
        _column = 0;
        return this;
    }

    public string Text() => reader.GetString(_column++);

    public string? TextOrNull() => IsNull() ? null : Text();

    public IReadOnlyList<string> Texts() => reader.GetFieldValue<string[]>(_column++);

    public long Whole() => reader.GetInt64(_column++);

    public long? WholeOrNull() => IsNull() ? null : Whole();

    public bool Flag() => reader.GetBoolean(_column++);

    public Instant Time() => reader.GetDateTime(_column++).ToInstant();

    public Instant? TimeOrNull() => IsNull() ? null : Time();

    public long Amount() => (long)reader.GetDecimal(_column++).ToUnits();

    public long? AmountOrNull() => IsNull() ? null : Amount();

    public Int128 Sum() => reader.GetDecimal(_column++).ToUnits();

    public IReadOnlyList<long> Amounts() => [.. reader.GetFieldValue<decimal[]>(_column++).Select(value => (long)value.ToUnits())];

    public IReadOnlyList<Int128> Integrals() => [.. reader.GetFieldValue<BigInteger[]>(_column++).Select(value => (Int128)value)];

    private bool IsNull()
    {
        if (!reader.IsDBNull(_column))
        {
            return false;
        }

        _column++;
        return true;
    }
}
