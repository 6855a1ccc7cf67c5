using System.Globalization;
using System.Net;
using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Routes;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Proxyless;

/// <summary>Listeners of gRPC libraries: API listeners for what they dial, real ones for what they serve.</summary>
internal static class ProxylessListeners
{
    /// <summary>The listeners of the names; without names one for each port of each service.</summary>
    public static IEnumerable<Listener> Build(ProxyInputs inputs, IReadOnlySet<string>? names)
    {
        var asked = new ListenerNames(names ?? new HashSet<string>(), inputs.Node);
        var isWildcard = names is null || names.Count == 0;
        foreach (var service in inputs.Scope.Imports.Services)
        {
            // Libraries may watch "foo" and "foo.ns" at once: each name has a listener of its own.
            foreach (var name in isWildcard ? [service.Hostname] : asked.NamesOf(service.Hostname))
            {
                foreach (var port in service.Ports.Where(port => isWildcard || asked.Includes(service.Hostname, port.Number)))
                    yield return Outbound(inputs, service, port, name);
            }
        }
        var server = new ProxylessServers(inputs);
        foreach (var name in asked.Servers)
        {
            if (server.At(name) is { } listener) yield return listener;
        }
    }

    private static Listener Outbound(ProxyInputs inputs, Service service, ServicePort port, string name)
    {
        var manager = new HttpConnectionManager
        {
            Rds = new Rds
            {
                ConfigSource = new ConfigSource { Ads = new AggregatedConfigSource() },
                RouteConfigName = ClusterNames.Outbound(port.Number, "", service.Hostname),
            },
        };
        if (PersistentSessions.StateOf(service) is { } session)
            manager.HttpFilters.Add(HttpFilters.Named(PersistentSessions.FilterName, session));
        manager.HttpFilters.Add(HttpFilters.Fault());
        manager.HttpFilters.Add(HttpFilters.Router(suppressDebugHeaders: false));
        var listener = new Listener
        {
            Name = HostAndPort(name, port.Number),
            Address = ListenerRenderer.AddressOf(ServiceAddresses.Primary(service, inputs.Node), port.Number),
            ApiListener = new ApiListener { ApiListener_ = Wire.Pack(manager) },
        };
        if (inputs.Features.DualStack)
            listener.AdditionalAddresses.Add(
                ListenerRenderer.Additional(ServiceAddresses.Extra(service, inputs.Node, inputs.Features), port.Number));
        return listener;
    }

    private static string HostAndPort(string host, int port) =>
        string.Create(CultureInfo.InvariantCulture,
            $"{(IPAddress.TryParse(host, out _) && host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}");
}
