using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Cli.Abuse;

/// <summary>An order that somebody sent, as far as the anti-abuse rules look at it.</summary>
/// <param name="At">When.</param>
/// <param name="Market">Where.</param>
/// <param name="Account">Who.</param>
/// <param name="Side">Buy or sell.</param>
/// <param name="Outcome">The traded outcome.</param>
/// <param name="Shares">How many shares.</param>
/// <param name="Amount">The cash paid or received.</param>
/// <param name="Before">The outcome's price before the order; null = not known, or none came before.</param>
/// <param name="After">The price after it.</param>
internal sealed record Order(
    Instant At, MarketId Market, AccountId Account, TradeSide Side, string Outcome, Shares Shares, Credits Amount, Price? Before, Price? After);
