using Mbp.Ledger.Reading;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>A read model's table in PostgreSQL's words, in one of the schemas that it passes through.</summary>
internal static class TableSql
{
    public static string Qualified(this Table table, string schema) => $"{schema}.{table.Name}";

    public static string CreateTable(this Table table, string schema) =>
        $"CREATE TABLE {table.Qualified(schema)} (\n{string.Join(",\n", table.Columns.Select(column => $"  {column.Name} {TypeOf(column.Kind)}{(column.Nullable ? "" : " NOT NULL")}"))}\n){(table.IsRewritten ? " WITH (fillfactor = 75)" : "")};\n"
        + $"GRANT SELECT ON {table.Qualified(schema)} TO mbp_reader, mbp_writer;";

    /// <summary>What a table needs to be searched; made after the rows where there are many, as a sort costs less than as many insertions.</summary>
    public static string CreateIndexes(this Table table, string schema) => string.Join('\n',
        table.Indexes.Select((index, i) => $"CREATE INDEX ix_{table.Name}_{i + 1} ON {table.Qualified(schema)} ({index.Columns}){(index.Where is null ? "" : $" WHERE {index.Where}")};")
            .Prepend($"ALTER TABLE {table.Qualified(schema)} ADD CONSTRAINT pk_{table.Name} PRIMARY KEY ({string.Join(", ", table.KeyColumns)});"));

    /// <summary>The name of a key that a table under construction needs before its time.</summary>
    public static string EarlyKey(this Table table) => $"early_{table.Name}";

    public static string Columns(this Table table) => string.Join(", ", table.Columns.Select(column => column.Name));

    /// <summary>Adds rows given as one array for each column; with a key that is there, replaces them.</summary>
    public static string Insert(this Table table, string schema, bool replacing)
    {
        var given = table.Columns.Select((column, i) => (column, Name: $"v{i}", Type: ArrayOf(column.Kind), Cast: CastOf(column.Kind))).ToList();
        var sql = $"INSERT INTO {table.Qualified(schema)} ({table.Columns()}) SELECT {string.Join(", ", given.Select(g => $"{g.Name}{g.Cast}"))} "
                  + $"FROM unnest({string.Join(", ", given.Select((g, i) => $"${i + 1}::{g.Type}"))}) AS given ({string.Join(", ", given.Select(g => g.Name))})";
        return replacing
            ? $"{sql} ON CONFLICT ({string.Join(", ", table.KeyColumns)}) DO UPDATE SET {string.Join(", ", table.Columns.Where(c => !table.KeyColumns.Contains(c.Name)).Select(c => $"{c.Name} = excluded.{c.Name}"))}"
            : sql;
    }

    public static string Copy(this Table table, string schema) => $"COPY {table.Qualified(schema)} ({table.Columns()}) FROM STDIN (FORMAT BINARY)";

    /// <summary>Finds rows by keys given as one array for each column of the key.</summary>
    public static string Find(this Table table, string schema)
    {
        var keys = table.KeyColumns.Select(name => table.Columns.Single(column => column.Name == name)).ToList();
        // OFFSET 0: one look-up by the key for each, whatever the planner believes of the table's size.
        return $"SELECT t.* FROM unnest({string.Join(", ", keys.Select((key, i) => $"${i + 1}::{ArrayOf(key.Kind)}"))}) AS k ({string.Join(", ", keys.Select((_, i) => $"k{i}"))}) "
               + $"CROSS JOIN LATERAL (SELECT {table.Columns()} FROM {table.Qualified(schema)} WHERE {string.Join(" AND ", keys.Select((key, i) => $"{key.Name} = k.k{i}"))} OFFSET 0) t";
    }

    /// <summary>The newest rows of one key within some microseconds of its last, and the one before them.</summary>
    public static string Newest(this Table table, string schema)
    {
        var (key, time, from) = (table.KeyColumns[0], table.KeyColumns[1], table.Qualified(schema));
        return $"""
            WITH last AS (SELECT {time} AS at FROM {from} WHERE {key} = $1 ORDER BY {time} DESC LIMIT 1),
            first AS (SELECT {time} AS at FROM {from} WHERE {key} = $1 AND {time} <= (SELECT at FROM last) - $2 * interval '1 microsecond' ORDER BY {time} DESC LIMIT 1)
            SELECT {table.Columns()} FROM {from} WHERE {key} = $1 AND {time} >= coalesce((SELECT at FROM first), '-infinity') ORDER BY {time}
            """;
    }

    /// <summary>One value over all rows, whatever their order: their number and the sums of two hashes of each row's text.</summary>
    public static string Digest(this Table table, string schema) =>
        $"SELECT count(*), md5(concat(count(*), ':', sum(hashtextextended(t::text, 1)::numeric), ':', sum(hashtextextended(t::text, 2)::numeric))) FROM (SELECT {table.Columns()} FROM {table.Qualified(schema)}) t";

    private static string TypeOf(ColumnKind kind) => kind switch
    {
        ColumnKind.Text => "text",
        ColumnKind.Texts => "text[]",
        ColumnKind.Whole => "bigint",
        ColumnKind.Flag => "boolean",
        ColumnKind.Time => "timestamptz",
        ColumnKind.Amount => "numeric(18,8)",
        ColumnKind.Sum => "numeric(28,8)",
        ColumnKind.Amounts => "numeric(18,8)[]",
        ColumnKind.Integrals => "numeric(38,0)[]",
        _ => throw new InvalidOperationException($"{kind} has no type."),
    };

    // Arrays in arrays must all be of one length; as texts they need not be.
    private static string ArrayOf(ColumnKind kind) => kind switch
    {
        ColumnKind.Whole => "bigint[]",
        ColumnKind.Flag => "boolean[]",
        ColumnKind.Time => "timestamptz[]",
        ColumnKind.Amount or ColumnKind.Sum => "numeric[]",
        _ => "text[]",
    };

    private static string CastOf(ColumnKind kind) => kind switch
    {
        ColumnKind.Texts or ColumnKind.Amounts or ColumnKind.Integrals => $"::{TypeOf(kind)}",
        _ => "",
    };
}
