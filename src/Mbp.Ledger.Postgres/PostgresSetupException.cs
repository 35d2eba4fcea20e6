namespace Mbp.Ledger.Postgres;

/// <summary>The database cannot be used as it is; the message says what is missing and how to get it.</summary>
public sealed class PostgresSetupException(string message, Exception? cause = null) : Exception(message, cause);
