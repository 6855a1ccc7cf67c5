using System.Collections.Frozen;
using System.Globalization;
using Envoy.Config.Core.V3;
using Envoy.Config.Endpoint.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Registry;
using Endpoint = Lateen.Registry.Endpoint;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>One endpoint as Envoy reads it.</summary>
internal static class WireEndpoints
{
    private const string OriginalDestination = "envoy.filters.listener.original_dst";

    /// <summary>One endpoint of a cluster.</summary>
    /// <param name="inputs">What the cluster's endpoints depend on.</param>
    /// <param name="endpoint">Endpoint.</param>
    /// <param name="mtls">The cluster speaks mTLS to it, if it takes that.</param>
    /// <param name="metadata">What endpoints of the cluster said of themselves.</param>
    public static LbEndpoint Make(EndpointInputs inputs, Endpoint endpoint, bool mtls, EndpointMetadata metadata)
    {
        var isTunnelled = inputs.Client.SendsHbone && endpoint.AcceptsHbone && (!endpoint.AcceptsMtls || inputs.Client.IsWaypoint);
        var workload = inputs.Settings.Features.EndpointTelemetryLabels ? WorkloadOf(inputs.Service, endpoint) : null;
        var takesMtls = mtls && endpoint.AcceptsMtls;
        var made = new LbEndpoint
        {
            HealthStatus = endpoint.Health switch
            {
                EndpointHealth.Healthy => HealthStatus.Healthy,
                EndpointHealth.Unhealthy => HealthStatus.Unhealthy,
                EndpointHealth.Draining => HealthStatus.Draining,
                _ => HealthStatus.Unknown,
            },
            LoadBalancingWeight = endpoint.Weight == 0 ? 1 : endpoint.Weight,
            Metadata = isTunnelled ? EndpointMetadata.Make(workload, takesMtls) : metadata.Shared(workload, takesMtls),
        };
        if (isTunnelled)
        {
            Tunnel(made, endpoint);
            // A service in front of which a waypoint stands is reached by tunnels alone: there is nothing to choose.
            if (!inputs.IsInboundVip)
                made.Metadata.FilterMetadata[EndpointMetadata.TransportSocketMatch] = WireAny.Struct(("tunnel", Value.ForString("http")));
            return made;
        }
        made.Endpoint = new() { Address = AddressOf(endpoint.Address, endpoint.Port) };
        if (inputs.Settings.Features.DualStack)
        {
            foreach (var further in endpoint.Addresses.Skip(1))
            {
                made.Endpoint.AdditionalAddresses.Add(
                    new Envoy.Config.Endpoint.V3.Endpoint.Types.AdditionalAddress { Address = AddressOf(further, endpoint.Port) });
            }
        }
        return made;
    }

    public static (Endpoint Source, LbEndpoint Wire) OfGateway(NetworkGateway gateway, uint weight)
    {
        var made = new LbEndpoint
        {
            Endpoint = new() { Address = AddressOf(gateway.Address, gateway.Port) },
            LoadBalancingWeight = weight,
            Metadata = EndpointMetadata.Make($";;;;{gateway.ClusterId}", takesMtls: true),
        };
        var labels = new Dictionary<string, string> { ["topology.istio.io/network"] = gateway.Network };
        if (gateway.ClusterId.Length > 0) labels["topology.istio.io/cluster"] = gateway.ClusterId;
        return (new Endpoint
        {
            Addresses = [gateway.Address],
            Network = gateway.Network,
            ClusterId = gateway.ClusterId,
            Labels = labels.ToFrozenDictionary(),
        }, made);
    }

    public static bool TakesMtls(LbEndpoint endpoint) =>
        endpoint.Metadata?.FilterMetadata.TryGetValue(EndpointMetadata.TransportSocketMatch, out var match) == true
            && match.Fields.ContainsKey("tlsMode");

    public static Address AddressOf(string address, int port) => address.StartsWith("unix://", StringComparison.Ordinal)
        ? new Address { Pipe = new Pipe { Path = address["unix://".Length..] } }
        : new Address { SocketAddress = new SocketAddress { Address = address, PortValue = (uint)port } };

    // Telemetry names the far side by this text: workload;namespace;canonical service;canonical revision;cluster.
    private static string WorkloadOf(Service service, Endpoint endpoint)
    {
        var (name, revision) = CanonicalService.Of(endpoint.Labels, endpoint.WorkloadName);
        var ns = endpoint.Namespace;
        if (service.MeshExternal)
        {
            if (service.Labels.TryGetValue(CanonicalService.NameLabel, out var named))
            {
                name = named;
                revision = service.Labels.GetValueOrDefault(CanonicalService.RevisionLabel, "");
            }
            ns = service.Namespace;
        }
        // "latest" stands for a revision that nobody named.
        return $"{endpoint.WorkloadName};{ns};{name};{(revision == CanonicalService.Latest ? "" : revision)};{endpoint.ClusterId}";
    }

    private static void Tunnel(LbEndpoint made, Endpoint endpoint)
    {
        var target = endpoint.Address.Contains(':', StringComparison.Ordinal)
            ? string.Create(CultureInfo.InvariantCulture, $"[{endpoint.Address}]:{endpoint.Port}")
            : string.Create(CultureInfo.InvariantCulture, $"{endpoint.Address}:{endpoint.Port}");
        made.Endpoint = new()
        {
            Address = new Address { EnvoyInternalAddress = new EnvoyInternalAddress
            {
                ServerListenerName = "connect_originate",
                EndpointId = target,
            } },
        };
        made.Metadata.FilterMetadata[OriginalDestination] = WireAny.Struct(("local", Value.ForString(target)));
    }
}
