using System.CommandLine;
using Lateen.Agent;

namespace Lateen.Cli.Run;

/// <summary>`lateen agent sidecar|router`: the proxy and its agent, one process; it learns of its workload from the environment, as Istio's
/// agent does.</summary>
internal static class AgentVerb
{
    public static Command Command()
    {
        var role = new Argument<string>("role") { Description = "sidecar or router", DefaultValueFactory = _ => "sidecar" };
        role.AcceptOnlyFromAmong("sidecar", "router");
        var command = new Command("agent", "Run a proxy with its agent beside a workload (`up` and `run` do it)") { role };
        command.SetAction(parsed => AgentProcess.Run(AgentOptions.FromEnvironment(parsed.GetRequiredValue(role))));
        return command;
    }
}
