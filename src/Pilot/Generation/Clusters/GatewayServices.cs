using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>The services that a gateway's routes name: all that it needs clusters for, when clusters are filtered.</summary>
internal static class GatewayServices
{
    public static IEnumerable<Service> Of(ProxyScope scope)
    {
        var hosts = new HashSet<string>(StringComparer.Ordinal);
        var gateways = scope.Gateway?.Ports.SelectMany(port => port.Servers).Select(server => server.GatewayName).Distinct() ?? [];
        foreach (var gateway in gateways)
        {
            foreach (var rule in scope.Snapshot.VirtualServices.VisibleTo(scope.Node.Namespace, gateway))
            {
                hosts.UnionWith(Destinations.HostsOf(rule.Spec));
            }
        }
        foreach (var provider in scope.Snapshot.Settings.Mesh.ExtensionProviders) hosts.UnionWith(ExtensionProviders.HostsOf(provider));
        return scope.Imports.Services.Where(service => hosts.Contains(service.Hostname));
    }
}
