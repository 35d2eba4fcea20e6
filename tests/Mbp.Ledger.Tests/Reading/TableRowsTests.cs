using FsCheck;
using FsCheck.Fluent;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Reading;
using Mbp.Ledger.Reading;
using Mbp.Testing;
using NodaTime;
using Npgsql;
using Xunit;

namespace Mbp.Ledger.Tests.Reading;

/// <summary>A table with a column of every kind: what is written in one way or the other is what is read back.</summary>
public sealed class TableRowsTests(PostgresFixture database) : IClassFixture<PostgresFixture>
{
    private const long Most = 999_999_999_999_999_999;

    private static readonly Int128 MostSum = Int128.Parse("9999999999999999999999999999", null);
    private static readonly Int128 MostIntegral = Int128.Parse("99999999999999999999999999999999999999", null);

    private static readonly Table<Everything> Table = new Table<Everything>("mbp_everything")
        .Text("id", r => r.Id)
        .Whole("number", r => r.Number)
        .Text("maybe", r => r.Maybe, nullable: true)
        .Texts("texts", r => r.Texts)
        .Whole("several", r => r.Some, nullable: true)
        .Flag("flag", r => r.Flag)
        .Time("at", r => r.At)
        .Time("until", r => r.Until, nullable: true)
        .Amount("amount", r => r.Amount)
        .Amount("rest", r => r.Rest, nullable: true)
        .Sum("total", r => r.Total)
        .Amounts("amounts", r => r.Amounts)
        .Integrals("integrals", r => r.Integrals)
        .Key("id", "number")
        .Index("at")
        .Found(
            r => new RowKey(r.Id, Number: r.Number),
            read => new Everything(
                read.Text(), read.Whole(), read.TextOrNull(), read.Texts(), read.WholeOrNull(), read.Flag(), read.Time(), read.TimeOrNull(),
                read.Amount(), read.AmountOrNull(), read.Sum(), read.Amounts(), read.Integrals()));

    // The event is the row.
    private static readonly TableProjection Projection = TableProjection.Flat("everything", 1, Table, _ => "", recorded => recorded.Data as Everything);

    private static readonly TableProjection Replacing = new(
        "everything", 1, [Table], _ => "", (recorded, rows) => rows.Add(Table, Table.KeyOf((Everything)recorded.Data)),
        (recorded, rows) => rows.Put(Table, rows.Find(Table, Table.KeyOf((Everything)recorded.Data)) is { } there
            ? there with { Total = there.Total + 1 }
            : (Everything)recorded.Data));

    [Fact]
    public async Task Rows_are_the_same_by_copy_by_insert_and_when_they_are_found_again()
    {
        await using var pool = await TablesAsync();
        await using var connection = await pool.OpenConnectionAsync();
        var rows = Edges().Concat(Samples(300)).ToList();
        for (var i = 0; i < rows.Count; i++)
        {
            rows[i] = rows[i] with { Id = $"{rows[i].Id}{i}" };
        }

        var (copied, inserted) = (new RowStore(Projection, "mbp_build", isEmpty: true), new RowStore(Projection, "mbp_old", isEmpty: true));
        rows.ForEach(row => copied.Fold(Recorded(row)));
        rows.ForEach(row => inserted.Fold(Recorded(row)));
        await copied.WriteAsync(connection, default);
        await using (var batch = new NpgsqlBatch(connection))
        {
            inserted.Send(batch);
            await batch.ExecuteNonQueryAsync();
        }

        foreach (var schema in (string[])["mbp_build", "mbp_old"])
        {
            await using var command = new NpgsqlCommand($"SELECT {Table.Columns()} FROM {schema}.mbp_everything", connection);
            await using var reader = await command.ExecuteReaderAsync();
            var found = new List<Everything>();
            for (var row = new RowReader(reader); await reader.ReadAsync();)
            {
                found.Add(Table.Read(row.Next()));
            }

            Assert.Equal(rows.Select(row => row.ToString()).Order(StringComparer.Ordinal), found.Select(row => row.ToString()).Order(StringComparer.Ordinal));
        }

        Assert.Equal(
            await PostgresFixture.RowsAsync(database.Superuser, Table.Digest("mbp_build")), await PostgresFixture.RowsAsync(database.Superuser, Table.Digest("mbp_old")));
    }

    [Fact]
    public async Task A_changed_row_has_another_digest()
    {
        await using var pool = await TablesAsync();
        await using var connection = await pool.OpenConnectionAsync();
        var store = new RowStore(Projection, "mbp_build", isEmpty: true);
        Edges().ForEach(row => store.Fold(Recorded(row)));
        await store.WriteAsync(connection, default);
        var before = await PostgresFixture.RowsAsync(database.Superuser, Table.Digest("mbp_build"));
        await PostgresFixture.ExecuteAsync(database.Superuser, "UPDATE mbp_build.mbp_everything SET amount = amount + 0.00000001 WHERE id = 'least'");
        Assert.NotEqual(before, await PostgresFixture.RowsAsync(database.Superuser, Table.Digest("mbp_build")));
    }

    [Fact]
    public async Task Rows_that_were_let_go_are_found_again_and_replaced()
    {
        await using var pool = await TablesAsync();
        await using var connection = await pool.OpenConnectionAsync();
        await PostgresFixture.ExecuteAsync(database.Superuser, Table.CreateIndexes("mbp_build"));
        var rows = Edges();
        var store = new RowStore(Replacing, "mbp_build", isEmpty: true);
        rows.ForEach(row => store.Fold(Recorded(row)));
        await store.WriteAsync(connection, default);
        store.ClearRows();
        Assert.Equal(0, store.Count);

        await store.FoldAsync([.. rows.Concat(rows).Select(Recorded)], connection, default);
        await store.WriteAsync(connection, default);
        Assert.Equal([$"{rows.Count}|2"], await PostgresFixture.RowsAsync(
            database.Superuser, "SELECT count(*), (min(total - given) * 100000000)::int FROM mbp_build.mbp_everything JOIN (VALUES ('least', -99999999999999999999.99999999), ('zero', 0), ('most', 99999999999999999999.99999997)) AS g (id, given) USING (id)"));
    }

    [Fact]
    public async Task A_number_that_no_column_holds_is_refused()
    {
        await using var pool = await TablesAsync();
        await using var connection = await pool.OpenConnectionAsync();
        var store = new RowStore(Projection, "mbp_build", isEmpty: true);
        store.Fold(Recorded(Edges()[1] with { Amount = Most + 1 }));
        var refused = await Assert.ThrowsAsync<PostgresException>(() => store.WriteAsync(connection, default));
        Assert.Equal("22003", refused.SqlState);
        Assert.Equal(["0"], await PostgresFixture.RowsAsync(database.Superuser, "SELECT count(*) FROM mbp_build.mbp_everything"));
    }

    private static List<Everything> Edges() =>
    [
        new("least", long.MinValue, null, [], null, false, Instant.FromUtc(1970, 1, 1, 0, 0), null, -Most, null, -MostSum, [], []),
        new("zero", 0, "", [""], 0, true, Instant.FromUtc(2000, 1, 1, 0, 0), Instant.FromUtc(1999, 12, 31, 23, 59), 0, 0, 0, [0], [0]),
        new("most", long.MaxValue, "a\tb\\N\n\"é€😀", ["{a,b}", "\\", "\"", "NULL", "é"], -1, true, Instant.FromUnixTimeTicks(16_000_000_000_000_010), Given.Noon, Most, 10_000,
            MostSum - 2, [1, -1, Most, 100_000_000, 10_000], [MostIntegral, -MostIntegral, 10_000, 1]),
    ];

    private static Everything[] Samples(int count) => Gen.Sample(
        from text in ArbMap.Default.GeneratorFor<NonNull<string>>()
        from number in ArbMap.Default.GeneratorFor<long>()
        from list in ArbMap.Default.GeneratorFor<long[]>()
        from flag in ArbMap.Default.GeneratorFor<bool>()
        from shift in Gen.Choose(0, 40)
        let clean = text.Get.Replace("\0", "", StringComparison.Ordinal)
        let amount = (number << shift) % Most
        select new Everything(
            "s", number, flag ? clean : null, [clean, "x"], flag ? null : number, flag, Given.Noon + Duration.FromMilliseconds(number % 1_000_000), flag ? Given.Noon : null, amount,
            flag ? amount : null, (Int128)amount * 1_000, [.. list.Select(n => n % Most)], [.. list.Select(n => (Int128)n * n)]),
        count);

    private static Recorded Recorded(Everything row) => new(new StoredEvent(1, Given.Stream("m"), 1, Guid.Empty, "row", default, Given.Noon, "", "", default), row);

    private async Task<NpgsqlDataSource> TablesAsync()
    {
        var pool = database.Connections.Open(RoleConnections.ProjectorRole);
        await using var session = await pool.OpenConnectionAsync();
        foreach (var schema in (string[])["mbp_build", "mbp_old"])
        {
            await ProjectionRegistry.ExecuteAsync(session, $"DROP TABLE IF EXISTS {Table.Qualified(schema)}; {Table.CreateTable(schema)}", default);
        }

        return pool;
    }

    private sealed record Everything(
        string Id, long Number, string? Maybe, IReadOnlyList<string> Texts, long? Some, bool Flag, Instant At, Instant? Until, long Amount, long? Rest, Int128 Total,
        IReadOnlyList<long> Amounts, IReadOnlyList<Int128> Integrals)
    {
        public override string ToString() =>
            $"{Id}|{Number}|{Maybe ?? "null"}|{string.Join(';', Texts)}|{Some}|{Flag}|{At}|{Until}|{Amount}|{Rest}|{Total}|{string.Join(';', Amounts)}|{string.Join(';', Integrals)}";
    }
}
