using System.Text;
using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using TlsMode = Istio.Networking.V1Alpha3.ClientTLSSettings.Types.TLSmode;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>The <c>istio</c> filter metadata of clusters: which services, which rule, which subset.</summary>
internal static class ClusterMetadata
{
    private const string Key = "istio";

    public static Struct Of(Cluster cluster)
    {
        cluster.Metadata ??= new Metadata();
        if (!cluster.Metadata.FilterMetadata.TryGetValue(Key, out var istio))
        {
            istio = new Struct();
            cluster.Metadata.FilterMetadata.Add(Key, istio);
        }
        return istio;
    }

    public static void Services(Cluster cluster, IEnumerable<Service> services)
    {
        var listed = services.DistinctBy(service => (service.Hostname, service.Namespace)).Select(service => Value.ForStruct(WireAny.Struct(
            ("host", Value.ForString(service.Hostname)),
            ("name", Value.ForString(service.Name)),
            ("namespace", Value.ForString(service.Namespace))))).ToArray();
        Of(cluster).Fields["services"] = Value.ForList(listed);
    }

    /// <summary>Provenance of the rule, as a path of the API server.</summary>
    public static void Config(Cluster cluster, Origin origin) => Of(cluster).Fields["config"] = Value.ForString(PathOf(origin));

    public static void Subset(Cluster cluster, string subset) => Of(cluster).Fields["subset"] = Value.ForString(subset);

    public static void External(Cluster cluster) => Of(cluster).Fields["external"] = Value.ForBool(true);

    /// <summary>Every endpoint is reached through a tunnel that names the peers itself.</summary>
    public static void NoPeerExchange(Cluster cluster) => Of(cluster).Fields["disable_mx"] = Value.ForBool(true);

    /// <summary>Where the client's TLS is not the mesh's the ALPN filter must leave it alone.</summary>
    public static void AlpnOverride(Cluster cluster, TlsMode? mode)
    {
        if (mode is TlsMode.Simple or TlsMode.Mutual) Of(cluster).Fields["alpn_override"] = Value.ForString("false");
    }

    /// <summary><c>/apis/group/version/namespaces/ns/kind-in-kebab-case/name</c>.</summary>
    public static string PathOf(Origin origin)
    {
        var kebab = new StringBuilder();
        foreach (var letter in origin.Kind)
        {
            if (char.IsUpper(letter) && kebab.Length > 0) kebab.Append('-');
            kebab.Append(char.ToLowerInvariant(letter));
        }
        return $"/apis/networking.istio.io/v1/namespaces/{origin.Namespace}/{kebab}/{origin.Name}";
    }
}
