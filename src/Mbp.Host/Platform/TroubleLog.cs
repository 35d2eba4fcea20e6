namespace Mbp.Host.Platform;

/// <summary>
/// Logs a trouble in full when it is new, and one line a minute while it lasts: a database that is away for an hour must not fill the disk that
/// it will need when it is back.
/// </summary>
internal sealed class TroubleLog(ILogger log)
{
    private static readonly TimeSpan Repeat = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private string _last = "";
    private DateTime _logged;

    public void Report(Exception exception, string consequence)
    {
        var what = $"{exception.GetType().Name}: {exception.Message}";
        lock (_gate)
        {
            var isNew = what != _last;
            if (!isNew && DateTime.UtcNow - _logged < Repeat)
            {
                return;
            }

            (_last, _logged) = (what, DateTime.UtcNow);
            if (isNew)
            {
                Log.WriterTrouble(log, exception, consequence);
            }
            else
            {
                Log.WriterTroubleLasts(log, what, consequence);
            }
        }
    }
}
