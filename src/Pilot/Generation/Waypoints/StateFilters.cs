using Envoy.Config.Core.V3;
using Envoy.Extensions.Filters.Common.SetFilterState.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Generation.Filters;
using Udpa.Type.V1;
using HttpState = Envoy.Extensions.Filters.Http.SetFilterState.V3.Config;
using NetworkFilter = Envoy.Config.Listener.V3.Filter;
using NetworkState = Envoy.Extensions.Filters.Network.SetFilterState.V3.Config;
using Share = Envoy.Extensions.Filters.Common.SetFilterState.V3.FilterStateValue.Types.SharedWithUpstream;

namespace Lateen.Pilot.Generation.Waypoints;

/// <summary>What is handed from one listener inside the proxy to the next, by filter state.</summary>
internal static class StateFilters
{
    private const string Name = "connect_authority";
    private const string LocalAddress = "envoy.filters.listener.original_dst.local_ip";
    private const string RemoteAddress = "envoy.filters.listener.original_dst.remote_ip";
    private const string Hashable = "istio.hashable_string";
    private const string TargetAddress = "istio.double_hbone.hbone_target_address";

    /// <summary>Of a tunnel: the address meant, who the client is and who it took the proxy for.</summary>
    public static HttpFilter OfTunnel()
    {
        var state = new HttpState();
        state.OnRequestHeaders.Add(Value(LocalAddress, "%REQ(:AUTHORITY)%", Share.Once));
        state.OnRequestHeaders.Add(Value("io.istio.connect_authority", "%REQ(:AUTHORITY)%", Share.Once, Hashable));
        state.OnRequestHeaders.Add(Value(RemoteAddress, "%DOWNSTREAM_REMOTE_ADDRESS%", Share.Once));
        state.OnRequestHeaders.Add(Value("io.istio.peer_principal", "%DOWNSTREAM_PEER_URI_SAN%", Share.Once, Hashable));
        state.OnRequestHeaders.Add(Value("io.istio.local_principal", "%DOWNSTREAM_LOCAL_URI_SAN%", Share.Once, Hashable));
        return HttpFilters.Named(Name, state);
    }

    /// <summary>The address meant, where it is also the address that comes next.</summary>
    public static NetworkFilter OfDirect()
    {
        var state = new NetworkState();
        state.OnNewConnection.Add(Value(LocalAddress, $"%FILTER_STATE({LocalAddress}:PLAIN)%", Share.Once));
        return NetworkFilters.Named(Name, state);
    }

    /// <summary>What the endpoint says of a workload of another network.</summary>
    public static NetworkFilter OfEndpoint()
    {
        var state = new NetworkState();
        state.OnNewConnection.Add(Value(LocalAddress, "%DYNAMIC_METADATA(envoy.filters.listener.original_dst:local)%", Share.Transitive));
        state.OnNewConnection.Add(
            Value(TargetAddress, "%DYNAMIC_METADATA(istio:double_hbone:hbone_target_address)%", Share.Transitive, Hashable));
        return NetworkFilters.Named("propagate_endpoint_metadata", state);
    }

    /// <summary>Where an inner tunnel leads to.</summary>
    public const string TargetOfTunnel = $"%FILTER_STATE({TargetAddress}:PLAIN)%";

    /// <summary>Finds out who the client is by its address.</summary>
    public static HttpFilter ClientMetadata() =>
        Peers("waypoint_downstream_peer_metadata",
            "{\"downstream_discovery\":[{\"workload_discovery\":{}}],\"shared_with_upstream\":true}");

    /// <summary>Finds out who the server is by its address.</summary>
    public static HttpFilter ServerMetadata() =>
        Peers("waypoint_upstream_peer_metadata", "{\"upstream_discovery\":[{\"workload_discovery\":{}}]}");

    private static HttpFilter Peers(string name, string json) => HttpFilters.Named(
        name, new TypedStruct
        {
            TypeUrl = "type.googleapis.com/io.istio.http.peer_metadata.Config",
            Value = Struct.Parser.ParseJson(json),
        });

    private static FilterStateValue Value(string key, string format, Share share, string factory = "") => new()
    {
        ObjectKey = key,
        FactoryKey = factory,
        FormatString = new SubstitutionFormatString { TextFormatSource = new DataSource { InlineString = format } },
        SharedWithUpstream = share,
    };
}
