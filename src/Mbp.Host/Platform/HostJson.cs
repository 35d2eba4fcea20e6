using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Mbp.Host.Abuse;
using Mbp.Host.Accounts;
using Mbp.Host.Anchoring;
using Mbp.Host.Audit;
using Mbp.Host.Custody;
using Mbp.Host.Governance;
using Mbp.Host.Markets;
using Mbp.Host.Payments;
using Mbp.Host.Pricing;
using Mbp.Host.Projections;
using Mbp.Host.Resolution;
using Mbp.Host.Settlement;
using Mbp.Host.Trading;
using Mbp.Ledger.Json;

namespace Mbp.Host.Platform;

/// <summary>
/// The bodies of the API, whose readers and writers are made when the host is built: nothing is looked up by reflection when the first request
/// of a kind comes. A test holds that no route's body is missing here.
/// </summary>
[JsonSerializable(typeof(AbuseListResponse))]
[JsonSerializable(typeof(AccountOpenedResponse))]
[JsonSerializable(typeof(AccountResponse))]
[JsonSerializable(typeof(ActivateRulesetRequest))]
[JsonSerializable(typeof(AuditListResponse))]
[JsonSerializable(typeof(BurnRequest))]
[JsonSerializable(typeof(CandleListResponse))]
[JsonSerializable(typeof(CheckpointResponse))]
[JsonSerializable(typeof(ConservationResponse))]
[JsonSerializable(typeof(ConsistencyResponse))]
[JsonSerializable(typeof(CreateMarketRequest))]
[JsonSerializable(typeof(DigestResponse))]
[JsonSerializable(typeof(EmptyRequest))]
[JsonSerializable(typeof(EpochResponse))]
[JsonSerializable(typeof(ErasureRequest))]
[JsonSerializable(typeof(ErasureResponse))]
[JsonSerializable(typeof(EventListResponse))]
[JsonSerializable(typeof(GrantRequest))]
[JsonSerializable(typeof(HaltListResponse))]
[JsonSerializable(typeof(HaltRequest))]
[JsonSerializable(typeof(HealthResponse))]
[JsonSerializable(typeof(IssueKeyRequest))]
[JsonSerializable(typeof(IssueKeyResponse))]
[JsonSerializable(typeof(LedgerEventResponse))]
[JsonSerializable(typeof(LiquidityRequest))]
[JsonSerializable(typeof(LiquidityResponse))]
[JsonSerializable(typeof(LiveResponse))]
[JsonSerializable(typeof(LogKeysResponse))]
[JsonSerializable(typeof(ManualRequest))]
[JsonSerializable(typeof(MarketCreatedResponse))]
[JsonSerializable(typeof(MarketListResponse))]
[JsonSerializable(typeof(MarketPageResponse))]
[JsonSerializable(typeof(MarketPreviewResponse))]
[JsonSerializable(typeof(MarketResponse))]
[JsonSerializable(typeof(MarketRulesetChangedResponse))]
[JsonSerializable(typeof(MarketRulesetResponse))]
[JsonSerializable(typeof(MarketStateResponse))]
[JsonSerializable(typeof(ModerationListResponse))]
[JsonSerializable(typeof(ModerationRequest))]
[JsonSerializable(typeof(ModerationStateResponse))]
[JsonSerializable(typeof(OpenAccountRequest))]
[JsonSerializable(typeof(OpenEpochRequest))]
[JsonSerializable(typeof(PositionResponse))]
[JsonSerializable(typeof(PositionsResponse))]
[JsonSerializable(typeof(ProjectionListResponse))]
[JsonSerializable(typeof(PublishRulesetRequest))]
[JsonSerializable(typeof(PublishTemplateRequest))]
[JsonSerializable(typeof(QualityResponse))]
[JsonSerializable(typeof(QuoteResponse))]
[JsonSerializable(typeof(ReasonRequest))]
[JsonSerializable(typeof(ReasonedRequest))]
[JsonSerializable(typeof(ReconcileRequest))]
[JsonSerializable(typeof(ReconciliationResponse))]
[JsonSerializable(typeof(CorrectionRequest))]
[JsonSerializable(typeof(CorrectionStateResponse))]
[JsonSerializable(typeof(OracleResponse))]
[JsonSerializable(typeof(ReportRequest))]
[JsonSerializable(typeof(ReportResponse))]
[JsonSerializable(typeof(DisputeRequest))]
[JsonSerializable(typeof(DisputeResponse))]
[JsonSerializable(typeof(RulingRequest))]
[JsonSerializable(typeof(RollbackRequest))]
[JsonSerializable(typeof(TimelineResponse))]
[JsonSerializable(typeof(ResolutionListResponse))]
[JsonSerializable(typeof(ResolutionResponse))]
[JsonSerializable(typeof(ResolutionStateResponse))]
[JsonSerializable(typeof(RotateKeysRequest))]
[JsonSerializable(typeof(RulesetListResponse))]
[JsonSerializable(typeof(RulesetPublishedResponse))]
[JsonSerializable(typeof(RulesetResponse))]
[JsonSerializable(typeof(SloResponse))]
[JsonSerializable(typeof(StatementResponse))]
[JsonSerializable(typeof(StatusResponse))]
[JsonSerializable(typeof(TemplateListResponse))]
[JsonSerializable(typeof(TemplatePublishedResponse))]
[JsonSerializable(typeof(TradeListResponse))]
[JsonSerializable(typeof(TradeRequest))]
[JsonSerializable(typeof(TradeResponse))]
[JsonSerializable(typeof(TruthRequest))]
[JsonSerializable(typeof(TruthResponse))]
[JsonSerializable(typeof(TwapResponse))]
[JsonSerializable(typeof(TwapSeriesResponse))]
[JsonSerializable(typeof(WithdrawalListResponse))]
[JsonSerializable(typeof(WithdrawalRequest))]
[JsonSerializable(typeof(WithdrawalRequestedResponse))]
[JsonSerializable(typeof(WithdrawalResponse))]
internal sealed partial class HostJson : JsonSerializerContext
{
    /// <summary>For what the host writes outside of answers.</summary>
    public static JsonSerializerOptions Bodies { get; } = Configure(new JsonSerializerOptions());

    /// <summary>The ledger's way of writing JSON, with these bodies made beforehand. Events inside of them have readers of their own.</summary>
    public static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        LedgerJson.Configure(options);
        options.TypeInfoResolver = JsonTypeInfoResolver.Combine(Default, options.TypeInfoResolver);
        return options;
    }
}
