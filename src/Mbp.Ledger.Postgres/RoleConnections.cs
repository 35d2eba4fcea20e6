using System.Text.Json;
using Npgsql;

namespace Mbp.Ledger.Postgres;

/// <summary>
/// One connection string for each database role, so that no part of the product holds more rights than it needs. Kept in
/// <c>connections.json</c> (mode 0600) under the names of the roles.
/// </summary>
public sealed class RoleConnections
{
    /// <summary>Owns the schema and runs migrations.</summary>
    public const string OwnerRole = "mbp_owner";

    /// <summary>Appends; cannot change or remove an event.</summary>
    public const string WriterRole = "mbp_writer";

    /// <summary>Reads.</summary>
    public const string ReaderRole = "mbp_reader";

    /// <summary>Reads the ledger, writes read models.</summary>
    public const string ProjectorRole = "mbp_projector";

    /// <summary>Reads and writes the vault of personal data, and nothing else.</summary>
    public const string VaultRole = "mbp_vault";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly IReadOnlyDictionary<string, string> _byRole;

    public RoleConnections(IReadOnlyDictionary<string, string> byRole)
    {
        ArgumentNullException.ThrowIfNull(byRole);
        _byRole = Roles.FirstOrDefault(role => !byRole.ContainsKey(role)) is { } missing
            ? throw new PostgresSetupException($"There is no connection for the role {missing}.")
            : byRole;
    }

    public static IReadOnlyList<string> Roles { get; } = [OwnerRole, WriterRole, ProjectorRole, ReaderRole, VaultRole];

    public string Owner => _byRole[OwnerRole];

    public string Writer => _byRole[WriterRole];

    public string Reader => _byRole[ReaderRole];

    public string Projector => _byRole[ProjectorRole];

    public string Vault => _byRole[VaultRole];

    public string this[string role] => _byRole[role];

    /// <summary>A pool for one role. It is named after the role: metrics and traces carry the name, and never a connection string.</summary>
    public NpgsqlDataSource Open(string role) => Pool(role, this[role]);

    /// <summary>The same connections, each changed in the same way (to another database, say).</summary>
    public RoleConnections With(Action<NpgsqlConnectionStringBuilder> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        return new(Roles.ToDictionary(role => role, role =>
        {
            var connection = new NpgsqlConnectionStringBuilder(_byRole[role]);
            change(connection);
            return connection.ConnectionString;
        }));
    }

    /// <summary>Writes the file so that a crash leaves the old one or the new one, and nobody else can read either.</summary>
    public void Save(string path) =>
        SecretFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(Roles.ToDictionary(role => role, role => _byRole[role]), Indented));

    /// <summary>Null = there is no such file.</summary>
    public static RoleConnections? Load(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            return new(JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllBytes(path)) ?? []);
        }
        catch (JsonException e)
        {
            throw new PostgresSetupException($"{path} is damaged ({e.Message}). Remove it to have new passwords made.", e);
        }
    }

    internal static NpgsqlDataSource Pool(string name, string connection, Action<NpgsqlConnectionStringBuilder>? change = null)
    {
        var builder = new NpgsqlDataSourceBuilder(connection) { Name = name };
        change?.Invoke(builder.ConnectionStringBuilder);
        return builder.Build();
    }
}
