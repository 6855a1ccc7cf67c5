using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Lateen.Pilot.Generation.Secrets;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Generation;

public sealed class SecretTests
{
    private const string Own = "kubernetes://bookinfo";
    private const string Foreign = "kubernetes-gateway://vault/bookinfo";

    private static readonly string Pem = Certificate();

    private static string Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var made = new CertificateRequest("CN=bookinfo", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch,
            DateTimeOffset.UnixEpoch.AddYears(100));
        return made.ExportCertificatePem();
    }

    private static string Secret(string ns, string name) => $"""
        ---
        apiVersion: v1
        kind: Secret
        metadata: {"{"}name: {name}, namespace: {ns}{"}"}
        stringData:
          tls.key: key of {ns}
          tls.crt: |
            {Pem.ReplaceLineEndings("\n").Replace("\n", "\n    ", StringComparison.Ordinal)}
        """;

    private const string Gateway = """

        ---
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: bookinfo, namespace: edge}
        spec:
          selector: {istio: ingressgateway}
          servers:
          - port: {number: 443, name: https, protocol: HTTPS}
            hosts: ["*"]
            tls: {mode: SIMPLE, credentialName: kubernetes-gateway://vault/bookinfo}

        """;

    private const string Grant = """

        ---
        apiVersion: gateway.networking.k8s.io/v1beta1
        kind: ReferenceGrant
        metadata: {name: edge, namespace: vault}
        spec:
          from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: edge}]
          to: [{group: "", kind: Secret}]

        """;

    private static List<Secret> Asked(string yaml, string? identity, params string[] names)
    {
        var node = TestMesh.NodeOf("gateway", "10.0.0.9", "edge");
        node.Id = node.Id.Replace("sidecar~", "router~", StringComparison.Ordinal);
        node.Metadata.Fields["LABELS"] = Google.Protobuf.WellKnownTypes.Value.ForStruct(
            new() { Fields = { ["istio"] = Google.Protobuf.WellKnownTypes.Value.ForString("ingressgateway") } });
        var proxy = NodeParser.Parse(node).Node! with { VerifiedIdentity = identity is null ? null : Identities.Parse(identity) };
        var scope = new ScopeBuilder(new TestMesh().Apply(yaml)).ScopeOf(proxy);
        return [.. new SecretGenerator().Generate(scope, names.ToHashSet()).Select(resource => (Secret)resource.Message)];
    }

    [Fact]
    public void AProxyGetsTheSecretsOfItsNamespace()
    {
        var secret = Assert.Single(
            Asked(Secret("edge", "bookinfo"), "spiffe://cluster.local/ns/edge/sa/gateway", Own, "kubernetes://none"));
        Assert.Equal(Own, secret.Name);
        Assert.Equal("key of edge", secret.TlsCertificate.PrivateKey.InlineBytes.ToStringUtf8());
        Assert.Equal(Pem.Trim(), secret.TlsCertificate.CertificateChain.InlineBytes.ToStringUtf8().Trim());
    }

    [Fact]
    public void WhoProvedNothingGetsNothing() => Assert.Empty(Asked(Secret("edge", "bookinfo"), null, Own));

    [Fact]
    public void ANameWithAForeignNamespaceOpensNothing() =>
        Assert.Empty(Asked(Secret("vault", "bookinfo"), "spiffe://cluster.local/ns/edge/sa/gateway", "kubernetes://vault/bookinfo",
            Foreign));

    [Fact]
    public void TheIdentityCountsRatherThanTheNodesWord() =>
    Assert.Empty(Asked(Secret("edge", "bookinfo"), "spiffe://cluster.local/ns/other/sa/gateway", Own));

    [Fact]
    public void AGrantLetsAGatewayUseASecretOfAnotherNamespace()
    {
        Assert.Empty(Asked(Secret("vault", "bookinfo") + Gateway, "spiffe://cluster.local/ns/edge/sa/gateway", Foreign));
        Assert.Single(Asked(Secret("vault", "bookinfo") + Gateway + Grant, "spiffe://cluster.local/ns/edge/sa/gateway", Foreign));
    }
}
