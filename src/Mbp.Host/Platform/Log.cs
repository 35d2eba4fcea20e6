namespace Mbp.Host.Platform;

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Error, "A request failed.")]
    public static partial void RequestFailed(ILogger logger, Exception exception);

    [LoggerMessage(2, LogLevel.Warning, "{Consequence}")]
    public static partial void WriterTrouble(ILogger logger, Exception exception, string consequence);

    [LoggerMessage(10, LogLevel.Warning, "Still: {Trouble} {Consequence}")]
    public static partial void WriterTroubleLasts(ILogger logger, string trouble, string consequence);

    [LoggerMessage(3, LogLevel.Error, "The read models cannot go on after position {Position}; reads stay at it. Commands are not affected.")]
    public static partial void FollowerStopped(ILogger logger, Exception exception, long position);

    [LoggerMessage(4, LogLevel.Warning, "Request quotas are OFF (--limits off): for benchmarks and tests only.")]
    public static partial void LimitsOff(ILogger logger);

    [LoggerMessage(15, LogLevel.Warning, "The public log is OFF (--log off): nothing is signed, answers carry no receipts. For benchmarks only.")]
    public static partial void PublicLogOff(ILogger logger);

    [LoggerMessage(16, LogLevel.Warning, "The clock is a TEST CLOCK (--test-clock): operators may set it forward, and no time in this ledger is to be trusted.")]
    public static partial void TestClockOn(ILogger logger);

    [LoggerMessage(5, LogLevel.Information, "MBP listens on {Urls}; ledger at position {Position}, writer: {IsWriter}. Operator keys: {Keys}")]
    public static partial void Listening(ILogger logger, string urls, long position, bool isWriter, string keys);

    [LoggerMessage(6, LogLevel.Warning, "A worker step failed for {Subject}; it is tried again.")]
    public static partial void WorkerTrouble(ILogger logger, Exception exception, string subject);

    [LoggerMessage(7, LogLevel.Information, "{Message}")]
    public static partial void Database(ILogger logger, string message);

    [LoggerMessage(9, LogLevel.Information, "The demo is there: {Markets} markets, {Trades} trades.")]
    public static partial void DemoDone(ILogger logger, int markets, int trades);

    [LoggerMessage(11, LogLevel.Information, "The checkpoint of the read models is passed over ({Why}); they are folded from the events.")]
    public static partial void CheckpointPassedOver(ILogger logger, Exception? exception, string why);

    [LoggerMessage(12, LogLevel.Error, "The event streams end at position {Position}: what follows cannot be read.")]
    public static partial void StreamsEnd(ILogger logger, Exception exception, long position);

    [LoggerMessage(13, LogLevel.Debug, "The connection of a stream broke.")]
    public static partial void StreamBroke(ILogger logger, Exception exception);

    [LoggerMessage(14, LogLevel.Error, "{Fault} The others go on; it tries again when the host starts again.")]
    public static partial void SubscriptionStopped(ILogger logger, Exception exception, string fault);

    [LoggerMessage(8, LogLevel.Warning, "The command {Subject} of a worker was refused: {Code}")]
    public static partial void WorkerRefused(ILogger logger, string subject, string code);

    [LoggerMessage(17, LogLevel.Warning, "The endpoint of {Market} gave no answer ({Url}): {Why}")]
    public static partial void EndpointSilent(ILogger logger, string market, string url, string why);
}
