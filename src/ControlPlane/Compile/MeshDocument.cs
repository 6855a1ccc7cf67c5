// Compile: from a view of written resources to the snapshot that is pushed. It only gathers inputs for Registry and Pilot and reads the mesh's own
// settings (MeshConfig), which stand in the ConfigMap `istio` of the root namespace like in every Istio installation.
using Istio.Mesh.V1Alpha1;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;

namespace Lateen.ControlPlane.Compile;

/// <summary>MeshConfig as a document over the defaults.</summary>
public static class MeshDocument
{
    // Istio's defaults, with one addition of its chart: standard metrics are on unless somebody says otherwise.
    private const string Defaults = """
        proxyListenPort: 15001
        proxyInboundListenPort: 15006
        connectTimeout: 10s
        hboneIdleTimeout: 3600s
        protocolDetectionTimeout: 0s
        ingressClass: istio
        ingressService: istio-ingressgateway
        ingressControllerMode: STRICT
        enableTracing: true
        outboundTrafficPolicy: {mode: ALLOW_ANY}
        inboundTrafficPolicy: {mode: PASSTHROUGH}
        enableAutoMtls: true
        trustDomain: cluster.local
        defaultServiceExportTo: ["*"]
        defaultVirtualServiceExportTo: ["*"]
        defaultDestinationRuleExportTo: ["*"]
        rootNamespace: istio-system
        localityLbSetting: {enabled: true}
        dnsRefreshRate: 60s
        enablePrometheusMerge: true
        defaultConfig:
          configPath: ./etc/istio/proxy
          binaryPath: /usr/local/bin/envoy
          serviceCluster: istio-proxy
          drainDuration: 45s
          terminationDrainDuration: 5s
          discoveryAddress: istiod.istio-system.svc:15012
          proxyAdminPort: 15000
          statusPort: 15020
          controlPlaneAuthPolicy: MUTUAL_TLS
          statNameLength: 189
        defaultProviders: {metrics: [prometheus]}
        extensionProviders:
        - {name: prometheus, prometheus: {}}
        - {name: stackdriver, stackdriver: {}}
        - {name: envoy, envoyFileAccessLog: {path: /dev/stdout}}
        """;

    private static readonly MappingNode Base = (MappingNode)DocumentReader.ReadSingle(Defaults, "", [])!;

    /// <summary>The defaults.</summary>
    public static MeshConfig Default { get; } = new MessageReader("", []).Read<MeshConfig>(Base);

    /// <summary>A mesh configuration over the defaults: `defaultConfig` and `defaultProviders` field by field, `extensionProviders` by name, `trustDomainAliases` added, the rest replaced.</summary>
    public static MeshConfig Read(string text, string file, DiagnosticBag diagnostics)
    {
        Node? said = DocumentReader.ReadSingle(text, file, diagnostics);
        if (said is null or { IsNull: true }) return Default;
        if (said is not MappingNode fields) return new MessageReader(file, diagnostics).Read<MeshConfig>(said);
        return new MessageReader(file, diagnostics, UnknownFields.Warning).Read<MeshConfig>(Over(Base, fields));
    }

    private static MappingNode Over(MappingNode below, MappingNode above)
    {
        var members = below.Members.Where(member => above[member.Name] is null).ToList();
        foreach (NodeMember member in above.Members)
        {
            Node? under = below[member.Name];
            members.Add(member with { Value = Merged(member.Name, under, member.Value) });
        }
        return new MappingNode(members, above.Line, above.Column);
    }

    private static Node Merged(string name, Node? below, Node above) => (name, below, above) switch
    {
        ("defaultConfig" or "defaultProviders", MappingNode under, MappingNode over) => new MappingNode([.. under.Members.Where(member => over[member.Name] is null), .. over.Members], over.Line, over.Column),
        ("extensionProviders", SequenceNode under, SequenceNode over) => new SequenceNode([.. under.Items.Where(item => !over.Items.Any(other => Name(other) == Name(item))), .. over.Items], over.Line, over.Column),
        ("trustDomainAliases", SequenceNode under, SequenceNode over) => new SequenceNode([.. under.Items, .. over.Items], over.Line, over.Column),
        _ => above,
    };

    private static string? Name(Node provider) => (provider as MappingNode)?.Text("name");
}
