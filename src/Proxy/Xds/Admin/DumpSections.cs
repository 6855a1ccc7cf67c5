using Envoy.Admin.V3;
using Envoy.Config.Endpoint.V3;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Net;
using Lateen.Proxy.Server;
using ClusterMessage = Envoy.Config.Cluster.V3.Cluster;
using Core = Envoy.Config.Core.V3;
using ListenerMessage = Envoy.Config.Listener.V3.Listener;
using SecretMessage = Envoy.Extensions.TransportSockets.Tls.V3.Secret;

namespace Lateen.Proxy.Xds.Admin;

/// <summary>The parts of /config_dump, each a message of its own: what was written, what discovery brought, what was refused. Main
/// loop.</summary>
internal sealed class DumpSections(ProxyServer server, ProxyAssembly assembly)
{
    private Timestamp Began => Stamp(server.StartedAt);

    private static Timestamp Stamp(long micros) => Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch.AddTicks(micros * 10));

    /// <summary>All parts in Envoy's order.</summary>
    /// <param name="endpoints">Endpoints, too.</param>
    /// <param name="named">True for the names that are wanted.</param>
    public IEnumerable<IMessage> All(bool endpoints, Func<string, bool> named)
    {
        yield return new BootstrapConfigDump { Bootstrap = assembly.Bootstrap, LastUpdated = Began };
        yield return Clusters(named);
        if (endpoints)
            yield return Endpoints(named);
        yield return Listeners(named);
        yield return new ScopedRoutesConfigDump();
        yield return Routes(named);
        yield return Secrets(named);
    }

    private ClustersConfigDump Clusters(Func<string, bool> named)
    {
        var dump = new ClustersConfigDump { VersionInfo = assembly.Resources.VersionOf(ResourceTypes.Cluster) };
        foreach (HeldResource<ClusterMessage> held in assembly.Resources.Clusters.Where(h => named(h.Message.Name)))
        {
            if (held.IsStatic)
                dump.StaticClusters.Add(new ClustersConfigDump.Types.StaticCluster
                {
                    Cluster = Any.Pack(held.Message),
                    LastUpdated = Stamp(held.At),
                });
            else
                (held.IsWarming ? dump.DynamicWarmingClusters : dump.DynamicActiveClusters).Add(
                    new ClustersConfigDump.Types.DynamicCluster
                    {
                        VersionInfo = held.Version,
                        Cluster = Any.Pack(held.Message),
                        LastUpdated = Stamp(held.At),
                    });
        }
        return dump;
    }

    private ListenersConfigDump Listeners(Func<string, bool> named)
    {
        var dump = new ListenersConfigDump { VersionInfo = assembly.Resources.VersionOf(ResourceTypes.Listener) };
        foreach (HeldResource<ListenerMessage> held in assembly.Resources.Listeners.Where(h => named(h.Message.Name)))
        {
            if (held.IsStatic)
            {
                dump.StaticListeners.Add(
                    new ListenersConfigDump.Types.StaticListener { Listener = Any.Pack(held.Message), LastUpdated = Stamp(held.At) });
                continue;
            }
            var state = new ListenersConfigDump.Types.DynamicListenerState
            {
                VersionInfo = held.Version,
                Listener = Any.Pack(held.Message),
                LastUpdated = Stamp(held.At),
            };
            dump.DynamicListeners.Add(new ListenersConfigDump.Types.DynamicListener
            {
                Name = held.Message.Name,
                ActiveState = held.IsWarming ? null : state,
                WarmingState = held.IsWarming ? state : null,
            });
        }
        foreach (RefusedResource refused in assembly.Resources.Refused(ResourceTypes.Listener).Where(r => named(r.Name)))
        {
            ListenersConfigDump.Types.DynamicListener? known = dump.DynamicListeners.FirstOrDefault(l => l.Name == refused.Name);
            if (known is null)
                dump.DynamicListeners.Add(known = new ListenersConfigDump.Types.DynamicListener { Name = refused.Name });
            known.ErrorState = new UpdateFailureState
            {
                FailedConfiguration = refused.Body,
                LastUpdateAttempt = Stamp(refused.At),
                Details = refused.Reason,
            };
        }
        // As Envoy, once more without a name: what the last update as a whole failed for.
        foreach (RefusedResource refused in assembly.Resources.Refused(ResourceTypes.Listener))
            dump.DynamicListeners.Add(
                new ListenersConfigDump.Types.DynamicListener { ErrorState = new UpdateFailureState
                {
                    FailedConfiguration = refused.Body,
                    Details = refused.Reason,
                } });
        return dump;
    }

    private RoutesConfigDump Routes(Func<string, bool> named)
    {
        var dump = new RoutesConfigDump();
        foreach (HeldResource<ListenerMessage> held in assembly.Resources.Listeners)
        {
            foreach (RouteConfiguration inline in Inline(held.Message).Where(r => named(r.Name)))
                dump.StaticRouteConfigs.Add(
                    new RoutesConfigDump.Types.StaticRouteConfig { RouteConfig = Any.Pack(inline), LastUpdated = Stamp(held.At) });
        }
        foreach ((RouteConfiguration message, string version) in assembly.Resources.Routes.Values.Where(r => named(r.Message.Name)))
            dump.DynamicRouteConfigs.Add(new RoutesConfigDump.Types.DynamicRouteConfig
            {
                VersionInfo = version,
                RouteConfig = Any.Pack(assembly.Resources.Whole(message)),
                LastUpdated = Began,
            });
        return dump;
    }

    private static IEnumerable<RouteConfiguration> Inline(ListenerMessage listener) =>
        listener.FilterChains.Append(listener.DefaultFilterChain)
            .Where(c => c is not null)
            .SelectMany(c => c.Filters)
            .Where(f => f.TypedConfig is not null && f.TypedConfig.Is(HttpConnectionManager.Descriptor))
            .Select(f => HttpConnectionManager.Parser.ParseFrom(f.TypedConfig.Value).RouteConfig)
            .OfType<RouteConfiguration>();

    private EndpointsConfigDump Endpoints(Func<string, bool> named)
    {
        var dump = new EndpointsConfigDump();
        foreach (HeldResource<ClusterMessage> held in assembly.Resources.Clusters)
        {
            if (server.Clusters.Find(held.Message.Name)?.Current is not { } view || !named(NameOf(view)))
                continue;
            Any config = Any.Pack(Assignment(view));
            if (held.IsStatic)
                dump.StaticEndpointConfigs.Add(new EndpointsConfigDump.Types.StaticEndpointConfig { EndpointConfig = config });
            else
                dump.DynamicEndpointConfigs.Add(new EndpointsConfigDump.Types.DynamicEndpointConfig { EndpointConfig = config });
        }
        return dump;
    }

    private static string NameOf(ClusterView view) => view.Cluster.ServiceName.Length > 0 ? view.Cluster.ServiceName : view.Cluster.Name;

    private static ClusterLoadAssignment Assignment(ClusterView view)
    {
        var message = new ClusterLoadAssignment
        {
            ClusterName = NameOf(view),
            Policy = new ClusterLoadAssignment.Types.Policy { OverprovisioningFactor = view.Endpoints.OverprovisioningFactor },
        };
        foreach (PriorityHosts priority in view.Hosts.Priorities)
        {
            foreach (LocalityHosts place in priority.Localities)
            {
                var endpoints = new LocalityLbEndpoints
                {
                    Priority = (uint)priority.Priority,
                    Locality = Place(place.Locality),
                    LoadBalancingWeight = place.Weight,
                };
                endpoints.LbEndpoints.AddRange(place.All.Select(One));
                message.Endpoints.Add(endpoints);
            }
        }
        return message;
    }

    private static LbEndpoint One(Host host) => new()
    {
        Endpoint = new Envoy.Config.Endpoint.V3.Endpoint
        {
            Address = AddressOf(host.Address),
            Hostname = host.Endpoint.Hostname,
            HealthCheckConfig = new(),
        },
        HealthStatus = HealthOf(host),
        LoadBalancingWeight = host.Endpoint.Weight,
        Metadata = MetadataOf(host.Endpoint.Metadata),
    };

    /// <summary>A host's health in words of discovery.</summary>
    internal static Core.HealthStatus HealthOf(Host host) =>
        (host.Flags & HostFlags.DiscoveryDraining) != 0 ? Core.HealthStatus.Draining : host.Health switch
        {
            HostHealth.Healthy => Core.HealthStatus.Healthy,
            HostHealth.Degraded => Core.HealthStatus.Degraded,
            _ => Core.HealthStatus.Unhealthy,
        };

    internal static Core.Locality Place(Clusters.Locality locality) =>
        new() { Region = locality.Region, Zone = locality.Zone, SubZone = locality.SubZone };

    internal static Core.Address AddressOf(in Net.Address address) => address.Kind switch
    {
        AddressKind.Unix => new Core.Address { Pipe = new Core.Pipe { Path = address.ToString() } },
        AddressKind.V4 or AddressKind.V6 =>
            new Core.Address { SocketAddress = new Core.SocketAddress { Address = address.Host, PortValue = (uint)address.Port } },
        _ => new Core.Address { EnvoyInternalAddress = new Core.EnvoyInternalAddress { ServerListenerName = address.ToString() } },
    };

    private static Core.Metadata MetadataOf(Proxy.Metadata metadata)
    {
        var message = new Core.Metadata();
        foreach ((string name, System.Text.Json.JsonElement value) in metadata.Namespaces)
        {
            if (value.ValueKind == System.Text.Json.JsonValueKind.Object)
                message.FilterMetadata[name] = Struct.Parser.ParseJson(value.GetRawText());
        }
        return message;
    }

    private SecretsConfigDump Secrets(Func<string, bool> named)
    {
        var dump = new SecretsConfigDump();
        HashSet<string> own = [.. (assembly.Bootstrap.StaticResources?.Secrets ?? []).Select(s => s.Name)];
        foreach (SecretMessage secret in assembly.Bootstrap.StaticResources?.Secrets ?? [])
        {
            if (named(secret.Name))
                dump.StaticSecrets.Add(new SecretsConfigDump.Types.StaticSecret { Name = secret.Name, Secret = Any.Pack(secret) });
        }
        foreach ((string name, SecretMessage secret) in assembly.Tls.Secrets)
        {
            if (!own.Contains(name) && named(name))
                dump.DynamicActiveSecrets.Add(
                    new SecretsConfigDump.Types.DynamicSecret { Name = name, Secret = Any.Pack(secret), LastUpdated = Began });
        }
        return dump;
    }
}
