using System.IO.Compression;
using CsvHelper;

namespace Mbp.Cli.Files;

/// <summary>CSV files, also gzipped, by their columns' names.</summary>
internal static class CsvFile
{
    public static CsvReader Open(string file)
    {
        try
        {
            var stream = File.OpenRead(file);
            return CsvReader.Create(
                file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(stream, CompressionMode.Decompress) : stream,
                new CsvReaderOptions { TrackLineNumbers = true });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or ArgumentException)
        {
            throw new EnvironmentException($"{file} cannot be read: {e.Message}");
        }
    }

    public static bool Has(CsvReader csv, string column) => csv.Headers.Contains(column, StringComparer.Ordinal);

    public static void Require(CsvReader csv, string file, params ReadOnlySpan<string> columns)
    {
        foreach (var column in columns)
        {
            if (!Has(csv, column))
            {
                throw new EnvironmentException($"{file} has no column '{column}'; it has {string.Join(", ", csv.Headers)}.");
            }
        }
    }
}

/// <summary>Something outside is not as the command needs it (exit code 2); the message says what.</summary>
internal sealed class EnvironmentException(string message) : Exception(message);
