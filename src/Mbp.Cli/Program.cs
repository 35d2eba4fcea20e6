using System.CommandLine;
using Mbp.Cli.Abuse;
using Mbp.Cli.Anchoring;
using Mbp.Cli.Auditing;
using Mbp.Cli.Benchmarking;
using Mbp.Cli.Conformance;
using Mbp.Cli.Custody;
using Mbp.Cli.Exercising;
using Mbp.Cli.Files;
using Mbp.Cli.Importing;
using Mbp.Cli.Markets;
using Mbp.Cli.Oracle;
using Mbp.Cli.Payments;
using Mbp.Cli.Pricing;
using Mbp.Cli.Projections;
using Mbp.Cli.Rulesets;
using Mbp.Cli.Witness;

// Exit codes: 0 = done, or the check holds; 1 = the check found a fault; 2 = usage or environment.
const int Usage = 2;

var root = new RootCommand("Operates MBP.")
{
    MarketVerb.Create(), ImportVerb.Create(), TwapVerb.Create(), ConformanceVerb.Create(), AuditVerb.Create(), AnchorVerb.Create(), KeysVerb.Create(),
    EraseVerb.Create(), WitnessVerb.Create(), RulesetVerb.Create(), AbuseVerb.Create(), OracleVerb.Create(), ExerciseVerb.Create(), ReconcileVerb.Create(), ProjectionsVerb.Create(),
    BenchVerb.Create(),
};
var parsed = root.Parse(args);
try
{
    var result = await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    return parsed.Errors.Count > 0 ? Usage : result;
}
catch (Exception e) when (e is EnvironmentException or Mbp.Ledger.Postgres.PostgresSetupException or IOException or UnauthorizedAccessException or Npgsql.NpgsqlException)
{
    await Console.Error.WriteLineAsync($"mbp: {e.Message}");
    return Usage;
}
