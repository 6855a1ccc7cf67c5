using System.Text.Json;
using Envoy.Config.Cluster.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>TLS towards upstreams.</summary>
internal static class UpstreamTlsTables
{
    public static string? AutoMtls(JsonElement row, JsonElement context)
    {
        var (chain, key, root) = Rows.Node(row.GetProperty("proxy")).Metadata.TlsClient;
        var settings = Rows.Settings();
        settings.Mesh.EnableAutoMtls = row.Flag("autoMTLSEnabled");
        var service = row.Flag("meshExternal") ? External : ClusterRows.Example;
        var mode = Enum.Parse<MtlsMode>(row.Text("serviceMTLSMode")["MTLS".Length..]);
        var inputs = ClusterRows.Outbound(service, service.Ports[0], null, settings) with
        {
            IdentityList = string.Join('\n', row.Texts("sans")),
            Client = ClusterRows.Client(files: chain.Length > 0 ? new ClientCertificateFiles(chain, key, root) : null),
        };
        return Rows.Same(UpstreamTls.Settings(inputs, row.Message<ClientTLSSettings>("tls"), mode, row.Text("sni")).Tls,
            row.Message<ClientTLSSettings>("want"));
    }

    public static string? Context(JsonElement row, JsonElement context)
    {
        var options = row.GetProperty("opts");
        var service = options.Text("serviceRegistry") == "External" ? External : ClusterRows.Example;
        var inputs = ClusterRows.Outbound(service, service.Ports[0], null, Rows.Settings(options.Field("mesh"))) with
        {
            IdentityList = string.Join('\n', options.Texts("serviceAccounts")),
            Client = ClusterRows.Client(row.Flag("router")),
        };
        var draft = new ClusterDraft { Cluster = new Cluster { Name = "test-cluster" } };
        if (row.Flag("h2")) draft.UseHttp2();
        var made = UpstreamTls.Context(draft, inputs, row.Message<ClientTLSSettings>("tls")!, options.Flag("isDrWithSelector"));
        return Rows.Same(made, Wanted(row.GetProperty("result"), "tlsContext"));
    }

    public static string? InsecureSkipVerify(JsonElement row, JsonElement context)
    {
        var service = Rows.Service(row.GetProperty("service"));
        var inputs = ClusterRows.Outbound(service, Rows.Port(row.GetProperty("port")), row.Message<DestinationRule>("destRule"),
            Rows.Settings());
        var made = OutboundClusters.Build(inputs)[0].TransportSocket.TypedConfig.Unpack<UpstreamTlsContext>();
        return Rows.Same(made, Wanted(row, "expectTLSContext"));
    }

    private static readonly Service External = new()
    {
        Hostname = "foo.example.com",
        Namespace = "test-ns",
        Name = "foo.example.com",
        Source = ServiceSource.ServiceEntry,
        Resolution = ServiceResolution.ClientSide,
        MeshExternal = true,
        Ports = ClusterRows.Example.Ports,
    };

    // The rows name an empty choice after its Go field.
    private static UpstreamTlsContext? Wanted(JsonElement row, string name) => row.Field(name) is not { } wanted ? null
        : Rows.Message<UpstreamTlsContext>(JsonDocument.Parse(wanted.GetRawText()
            .Replace("\"validationContextType\"", "\"validationContext\"", StringComparison.Ordinal)).RootElement);
}
