using Mbp.Host.Platform;

namespace Mbp.Host.Streaming;

/// <summary>
/// What a follower sees. Events of markets are public, as <c>GET /v2/markets/{id}/events</c> shows them, the accounts in trades and payouts
/// included. Events of an account are for its owner and for operators. Everything else is for operators. Who names markets sees just those.
/// </summary>
internal sealed class StreamFilter(Principal principal, IReadOnlySet<string>? markets)
{
    private readonly string? _own = principal.Account?.Value;

    public bool Shows(Subject subject, string id) => markets is not null
        ? subject == Subject.Market && markets.Contains(id)
        : subject == Subject.Market || principal.IsOperator || (subject == Subject.Account && id == _own);
}
