using System.Collections.Immutable;
using System.Text.Json;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Xds;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Inputs of cluster and endpoint generation out of rows.</summary>
internal static class ClusterRows
{
    private static readonly Google.Protobuf.JsonFormatter Json =
        new(Google.Protobuf.JsonFormatter.Settings.Default.WithTypeRegistry(WireComparison.AllTypes()));

    /// <summary>A service for rows that speak of policies alone.</summary>
    public static readonly Service Example = new()
    {
        Hostname = "*.example.org",
        Namespace = "test-ns",
        Name = "TestService",
        Source = ServiceSource.Kubernetes,
        Resolution = ServiceResolution.ClientSide,
        Ports = [new ServicePort("default", 8080, Protocol.Http)],
    };

    public static ClusterClient Client(bool isRouter = false, bool ipv4 = true, bool ipv6 = false, ClientCertificateFiles? files = null) =>
        new()
        {
            IsSidecar = !isRouter,
            IsRouter = isRouter,
            SendsHbone = false,
            SupportsIPv4 = ipv4,
            SupportsIPv6 = ipv6,
            ClientCertificates = files,
            PreservesHeaderCase = false,
            KnowsItself = false,
        };

    public static ClusterClient Client(ProxyNode node) => Client(node.Type == ProxyType.Router, node.SupportsIPv4, node.SupportsIPv6);

    public static OutboundClusterInputs Outbound(Service service, ServicePort port, DestinationRule? rule, MeshSettings settings) => new()
    {
        Service = service,
        Port = port,
        Rule = Rule(rule, service.Namespace),
        Settings = settings,
        ServiceMode = MtlsMode.Unknown,
        IdentityList = "",
        Client = Client(),
        Endpoints = null,
    };

    public static EndpointInputs Endpoints(Service service, IEnumerable<Endpoint> endpoints, MeshSettings settings, ProxyNode node,
        DestinationRule? rule = null, string subset = "") => new()
        {
            ClusterName = "",
            Service = service,
            Port = service.Ports[0].Number,
            Subset = subset,
            IsSni = false,
            Rule = Rule(rule, service.Namespace),
            Endpoints = new ServiceEndpoints(service.Key, [.. endpoints], []),
            Settings = settings,
            Policies = Rows.Snapshot(RegistryView.Empty, settings).Policies,
            Client = new EndpointClient
            {
                ClusterId = node.ClusterId,
                Network = node.Metadata.Network,
                Gateways = [],
                NetworkView = string.Join('\n', node.Metadata.NetworkView),
                NodeName = node.Metadata.NodeName,
            },
        };

    public static MergedDestinationRule? Rule(DestinationRule? rule, string ns)
    {
        if (rule is null) return null;
        var origin = new Origin { Kind = "DestinationRule", Namespace = ns, Name = "acme" };
        return new MergedDestinationRule(new Meant<DestinationRule>(origin, rule), Export.Public, [origin]);
    }

    /// <summary>What differs between a message and the fields that are wanted; other fields don't count.</summary>
    public static string? Includes(Google.Protobuf.IMessage actual, JsonElement wanted)
    {
        using var document = JsonDocument.Parse(Json.Format(actual));
        return Includes(document.RootElement, wanted, "");
    }

    private static string? Includes(JsonElement? actual, JsonElement wanted, string path)
    {
        if (actual is not { } have) return $"{path}: missing";
        switch (wanted.ValueKind)
        {
            case JsonValueKind.Object:
                return wanted.EnumerateObject().Select(field => Includes(have.Field(field.Name), field.Value, $"{path}.{field.Name}"))
                    .FirstOrDefault(found => found is not null);
            case JsonValueKind.Array:
                var (left, right) = (have.EnumerateArray().ToList(), wanted.EnumerateArray().ToList());
                if (left.Count != right.Count) return $"{path}: have {left.Count}, want {right.Count}";
                return left.Zip(right, (one, other) => Includes(one, other, path + "[]")).FirstOrDefault(found => found is not null);
            case JsonValueKind.Number:
                return have.GetDouble() == wanted.GetDouble() ? null : $"{path}: have {have}, want {wanted}";
            default:
                return have.ToString() == wanted.ToString() ? null : $"{path}: have {have}, want {wanted}";
        }
    }
}
