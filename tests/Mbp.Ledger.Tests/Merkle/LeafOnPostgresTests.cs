using System.Buffers;
using System.Text;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres;
using Mbp.Testing;
using Npgsql;
using Xunit;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests.Merkle;

/// <summary>What jsonb and timestamptz do to an event is nothing that its leaf can see.</summary>
public sealed class LeafOnPostgresTests(PostgresFixture database) : IClassFixture<PostgresFixture>
{
    private const string Body =
        """{"zz":1,"b":{"long key":[{"y":-9007199254740991,"x":"\/\u00e9\ud83d\ude00\u001F\""}],"":null},"\ufb33":"1.50","😀":true,"a!":"x","a":"\t"}""";

    [Fact]
    public async Task A_body_comes_back_from_jsonb_to_its_form()
    {
        await using var source = NpgsqlDataSource.Create(database.Superuser);
        await using var command = source.CreateCommand("SELECT $1::jsonb");
        command.Parameters.AddWithValue(Body);
        var back = (string)(await command.ExecuteScalarAsync())!;

        Assert.StartsWith("""{"a": "\t", "b": {"": null, """, back, StringComparison.Ordinal);
        Assert.Equal(Canonical(Body), Canonical(back));
    }

    [Fact]
    public async Task A_stored_event_has_the_leaf_of_the_new_one()
    {
        var stream = Stream();
        NewEvent[] events = [Event(stream, 1, Body, Noon.PlusTicks(1_234_560)), Event(stream, 2, at: Noon.PlusTicks(9_999_990)) with { Headers = default }];
        var batch = LeafBatch.Of(events);
        await using var store = new PostgresEventStore(database.Connections);
        await using (var lease = await store.TryAcquireAsync("leaf test", CancellationToken.None) ?? throw new InvalidOperationException("Somebody holds the lease."))
        {
            await store.AppendAsync(lease, new Batch(events));
        }

        var stored = await store.ReadStreamAsync(stream, 0, CancellationToken.None).AllAsync();
        for (var i = 0; i < events.Length; i++)
        {
            var output = new ArrayBufferWriter<byte>();
            Assert.Equal(batch.Hashes[i], Leaf.Write(stored[i], LeafBatch.Salt(batch.Salts, i).Span, output));
            Assert.Equal(LeafBatch.Entry(batch.Leaves, i).Text(), output.WrittenMemory.Text());
        }
    }

    private static string Canonical(string json)
    {
        var output = new ArrayBufferWriter<byte>();
        CanonicalJson.Write(Encoding.UTF8.GetBytes(json), output);
        return output.WrittenMemory.Text();
    }
}
