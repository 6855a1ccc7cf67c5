using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Xunit;

namespace Lateen.Test.Unit.Config.Resources;

public sealed class ResourceDecoderTests
{
    private static (IReadOnlyList<Resource> Resources, DiagnosticBag Bag) Decode(string yaml)
    {
        var bag = new DiagnosticBag();
        return (new ResourceDecoder().Decode(yaml, "f.yaml", bag), bag);
    }

    [Fact]
    public void A_resource_keeps_its_envelope_and_its_place()
    {
        var (resources, bag) = Decode("""
            # a comment
            ---
            apiVersion: networking.istio.io/v1alpha3
            kind: VirtualService
            metadata:
              name: reviews
              namespace: bookinfo
              labels: {app: reviews}
              creationTimestamp: "2026-01-02T03:04:05Z"
            spec:
              hosts: [reviews]
              http:
              - route:
                - destination: {host: reviews}
            status:
              observedGeneration: 3
              somethingNew: 1
            """);
        Assert.Empty(bag);
        var resource = Assert.IsType<Resource<Istio.Networking.V1Alpha3.VirtualService>>(Assert.Single(resources));
        Assert.Equal("VirtualService bookinfo/reviews", resource.Key.ToString());
        Assert.Equal("reviews", resource.Labels["app"]);
        Assert.Equal(2026, resource.Metadata.CreationTime!.Value.Year);
        Assert.Equal(3, ((Istio.Meta.V1Alpha1.IstioStatus)resource.Status!).ObservedGeneration);
        Assert.Equal("f.yaml:14:7", resource.PositionOf("spec.http[0].route[0].destination").ToString());
        Assert.Equal(3, resource.Origin.Line);
    }

    [Fact]
    public void Lists_are_taken_apart()
    {
        var (resources, bag) = Decode("""
            apiVersion: v1
            kind: List
            items:
            - {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}
            - apiVersion: v1
              kind: Namespace
              metadata: {name: b}
            """);
        Assert.Empty(bag);
        Assert.Equal(["Service default/a", "Namespace b"], resources.Select(r => r.ToString()));
        Assert.Equal(4, resources[0].PositionOf("spec.ports[0].port").Line);
        Assert.Equal(7, resources[1].PositionOf("metadata.name").Line);
    }

    [Theory]
    [InlineData("kind: X\nmetadata: {name: a}", "LTN2002")]
    [InlineData("apiVersion: v1\nmetadata: {name: a}", "LTN2003")]
    [InlineData("apiVersion: v1\nkind: Service\nmetadata: {}", "LTN2004")]
    [InlineData("apiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata: {name: a}", "LTN2005")]
    [InlineData("apiVersion: networkng.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}", "LTN2005")]
    [InlineData("apiVersion: networking.istio.io/v2\nkind: VirtualService\nmetadata: {name: a}", "LTN2006")]
    [InlineData("apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}", "LTN2007")]
    [InlineData("apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: A_b}", "LTN2008")]
    [InlineData("apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: {x: 1}}", "LTN2009")]
    [InlineData("- a", "LTN2001")]
    [InlineData("apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: a}\nspec: {egres: []}", "LTN1010")]
    [InlineData("apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: a}\negress: []", "LTN1010")]
    public void Mistakes_have_their_codes(string yaml, string code) => Assert.Equal([code], Decode(yaml).Bag.Select(d => d.Code.Id));

    [Fact]
    public void A_misspelt_kind_gets_a_hint() =>
        Assert.Contains("did you mean \"VirtualService\"?",
            Assert.Single(Decode("apiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata: {name: a}").Bag).Text,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("vs", "VirtualService.networking.istio.io")]
    [InlineData("gateway", "Gateway.networking.istio.io")]
    [InlineData("gtw", "Gateway.gateway.networking.k8s.io")]
    [InlineData("gateways.gateway.networking.k8s.io", "Gateway.gateway.networking.k8s.io")]
    [InlineData("PODS", "Pod")]
    public void Kinds_are_found_by_what_people_type(string word, string kind) => Assert.Equal(kind, Kinds.FindByWord(word)!.ToString());

    [Fact]
    public void What_is_written_again_says_the_same()
    {
        var (resources, _) = Decode("""
            apiVersion: v1
            kind: Pod
            metadata: {name: p, namespace: n, labels: {a: "1"}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: r, uid: u, controller: true}]}
            spec: {containers: [{name: c, ports: [{containerPort: 80}]}], serviceAccountName: sa}
            status: {podIP: 1.2.3.4, podIPs: [{ip: 1.2.3.4}], conditions: [{type: Ready, status: "True"}]}
            """);
        var again = Decode(resources[0].ToYaml()).Resources[0];
        Assert.True(resources[0].SaysTheSameAs(again), again.ToYaml());
        Assert.Equal("1.2.3.4", ((Resource<Kubernetes.Core.V1.Pod>)again).Spec.Status.PodIp);
    }
}
