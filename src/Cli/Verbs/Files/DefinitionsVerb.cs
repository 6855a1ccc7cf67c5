using System.CommandLine;
using Lateen.Cli.Printing;
using Lateen.Config.Definitions;

namespace Lateen.Cli.Verbs.Files;

/// <summary>`lateen crds`: the definitions that a Kubernetes API server needs before it keeps Istio's kinds.</summary>
internal static class DefinitionsVerb
{
    public static Command Command(Terminal terminal)
    {
        var gatewayApi = new Option<bool>(
            "--gateway-api") { Description = "those of the Gateway API's kinds instead, for clusters without the published ones" };
        var command = new Command("crds", "Print the definitions of the mesh's kinds, for kubectl apply -f -") { gatewayApi };
        command.SetAction(parsed =>
            terminal.Out.Write(CustomResourceDefinitions.Yaml(parsed.GetValue(gatewayApi)
                ? CustomResourceDefinitions.GatewayApi : CustomResourceDefinitions.Istio)));
        return command;
    }
}
