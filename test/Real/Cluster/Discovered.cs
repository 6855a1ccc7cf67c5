using Envoy.Config.Endpoint.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Test.Rigs.Discovery;

namespace Lateen.Test.Real.Cluster;

/// <summary>Everything that a sidecar is told, by type and name.</summary>
internal static class Discovered
{
    private const string Prefix = "type.googleapis.com/envoy.config.";
    private static readonly (string Type, string[] Names)[] Asked =
    [
        (Prefix + "cluster.v3.Cluster", ["*"]),
        (Prefix + "listener.v3.Listener", ["*"]),
        (Prefix + "route.v3.RouteConfiguration", ["80", "9080"]),
    ];

    /// <summary>Asks for all of it as a sidecar of a namespace.</summary>
    public static async Task<SortedDictionary<string, ByteString>> AllAsync(string grpc, string ns)
    {
        await using AdsClient client = await AdsClient.OpenAsync(grpc, AdsClient.Delta);
        var all = new SortedDictionary<string, ByteString>(StringComparer.Ordinal);
        bool isFirst = true;
        foreach ((string type, string[] names) in Asked)
        {
            await AskAsync(client, type, names, isFirst ? ns : null, all);
            isFirst = false;
        }
        string[] endpoints = [.. all.Keys.Where(name => name.StartsWith("Cluster outbound|", StringComparison.Ordinal))
            .Select(name => name["Cluster ".Length..])];
        await AskAsync(client, Prefix + "endpoint.v3.ClusterLoadAssignment", endpoints, null, all);
        return all;
    }

    /// <summary>The addresses of a cluster's endpoints.</summary>
    public static string Endpoints(this SortedDictionary<string, ByteString> all, string cluster) =>
        all.TryGetValue("ClusterLoadAssignment " + cluster, out ByteString? bytes)
            ? string.Join(' ', ClusterLoadAssignment.Parser.ParseFrom(bytes).Endpoints.SelectMany(locality => locality.LbEndpoints)
                .Select(endpoint => endpoint.Endpoint.Address.SocketAddress.Address).Order(StringComparer.Ordinal)) : "";

    private static async Task AskAsync(AdsClient client, string type, string[] names, string? ns, SortedDictionary<string, ByteString> into)
    {
        var request = new DeltaDiscoveryRequest { TypeUrl = type, ResourceNamesSubscribe = { names } };
        if (ns is not null) request.Node = AdsClient.Sidecar("caller", ns);
        client.Send(request);
        DeltaDiscoveryResponse answer;
        do
        {
            answer = await client.ReadAsync(DeltaDiscoveryResponse.Parser) ?? throw new IOException("the stream has ended");
            client.Send(new DeltaDiscoveryRequest { TypeUrl = answer.TypeUrl, ResponseNonce = answer.Nonce });
        }
        while (answer.TypeUrl != type);
        foreach (Resource resource in answer.Resources)
            into[$"{type[(type.LastIndexOf('.') + 1)..]} {resource.Name}"] = resource.Resource_.Value;
    }
}
