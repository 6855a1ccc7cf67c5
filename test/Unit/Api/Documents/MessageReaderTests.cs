using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Xunit;

namespace Lateen.Test.Unit.Api.Documents;

public sealed class MessageReaderTests
{
    private static (T Message, DiagnosticBag Bag) Read<T>(string yaml, UnknownFields unknown = UnknownFields.Error)
        where T : Google.Protobuf.IMessage<T>, new()
    {
        var bag = new DiagnosticBag();
        var node = DocumentReader.ReadSingle(yaml, "f.yaml", bag);
        return (new MessageReader("f.yaml", bag, unknown).Read<T>(node, "spec"), bag);
    }

    [Fact]
    public void A_virtual_service_is_read()
    {
        var (message, bag) = Read<VirtualService>("""
            hosts: [reviews]
            http:
            - match:
              - uri: {prefix: /a}
                headers: {x-user: {exact: jason}}
              timeout: 1m30s
              retries: {attempts: 3, perTryTimeout: 250ms, retryRemoteLocalities: false}
              route:
              - destination: {host: reviews, subset: v2, port: {number: 9080}}
                weight: 75
            """);
        Assert.Empty(bag);
        var route = message.Http[0];
        Assert.Equal("/a", route.Match[0].Uri.Prefix);
        Assert.Equal("jason", route.Match[0].Headers["x-user"].Exact);
        Assert.Equal(90, route.Timeout.Seconds);
        Assert.Equal(250_000_000, route.Retries.PerTryTimeout.Nanos);
        Assert.False(route.Retries.RetryRemoteLocalities);
        Assert.Equal((75, 9080u), (route.Route[0].Weight, route.Route[0].Destination.Port.Number));
    }

    [Fact]
    public void Every_mistake_is_told_with_place_path_and_advice()
    {
        var (_, bag) = Read<VirtualService>("""
            hosts: reviews
            http:
            - routes: []
              timeout: 5
              match:
              - port: -1
                uri: {exact: a, prefix: b}
              redirect: {derivePort: FROM_REQUEST_PORTS}
            """);
        Assert.Equal(
            [
                "f.yaml:1:8: error LTN1011 spec.hosts: expected a list, found the text \"reviews\"",
                "f.yaml:3:3: error LTN1010 spec.http[0].routes: HTTPRoute has no field \"routes\"; did you mean \"route\"?",
                "f.yaml:4:12: error LTN1011 spec.http[0].timeout: expected a duration such as 10s, found the number 5; write \"5s\" for "
                + "seconds",
                "f.yaml:6:11: error LTN1012 spec.http[0].match[0].port: expected a whole number from 0, found the number -1, which is "
                + "out of range",
                "f.yaml:7:29: error LTN1014 spec.http[0].match[0].uri.prefix: only one of \"exact\" and \"prefix\" may be set",
                "f.yaml:8:26: error LTN1013 spec.http[0].redirect.derivePort: expected one of FROM_PROTOCOL_DEFAULT, FROM_REQUEST_PORT, "
                + "found the text \"FROM_REQUEST_PORTS\"; did you mean \"FROM_REQUEST_PORT\"?",
            ],
            bag.Select(d => d.ToString()[..d.ToString().LastIndexOf(" (", StringComparison.Ordinal)]));
    }

    [Fact]
    public void Kubernetes_values_have_their_own_forms()
    {
        var (service, bag) = Read<Kubernetes.Core.V1.Service>("""
            spec:
              clusterIP: 10.0.0.1
              ipFamilies: [IPv4]
              somethingNew: {x: 1}
              ports:
              - {port: 80, targetPort: http}
              - {port: 81, targetPort: 8081}
            """, UnknownFields.Ignore);
        Assert.Empty(bag);
        Assert.Equal("10.0.0.1", service.Spec.ClusterIp);
        Assert.Equal(("http", 8081), (service.Spec.Ports[0].TargetPort.Text, service.Spec.Ports[1].TargetPort.Number));
        var (node, nodeBag) = Read<Kubernetes.Core.V1.Node>("status: {capacity: {cpu: 2, memory: 1Gi}}", UnknownFields.Ignore);
        Assert.Empty(nodeBag);
        Assert.Equal("2", node.Status.Capacity["cpu"].Text);
    }

    [Fact]
    public void Any_is_expanded_by_its_type()
    {
        var (message, bag) = Read<Envoy.Config.Core.V3.TypedExtensionConfig>("""
            name: x
            typed_config:
              "@type": type.googleapis.com/envoy.config.core.v3.Address
              socket_address: {address: 1.2.3.4, port_value: 80}
            """);
        Assert.Empty(bag);
        Assert.Equal(80u, message.TypedConfig.Unpack<Envoy.Config.Core.V3.Address>().SocketAddress.PortValue);
        var (_, unknown) = Read<Any>("{\"@type\": type.googleapis.com/envoy.config.core.v3.Adress}");
        Assert.Contains("did you mean \"envoy.config.core.v3.Address\"?", Assert.Single(unknown).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1h", 3600, 0)]
    [InlineData("0.250s", 0, 250_000_000)]
    [InlineData("-1.5s", -1, -500_000_000)]
    [InlineData("1m0.5s", 60, 500_000_000)]
    [InlineData("0", 0, 0)]
    public void Durations_are_read(string text, long seconds, int nanos)
    {
        Assert.True(Durations.TryParse(text, out var duration));
        Assert.Equal((seconds, nanos), (duration.Seconds, duration.Nanos));
    }

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("10")]
    [InlineData("1x")]
    [InlineData("1e5s")]
    [InlineData("99999999999999s")]
    [InlineData("9999999999999999999999999999h")]
    [InlineData("1 s")]
    public void Bad_durations_are_refused(string text) => Assert.False(Durations.TryParse(text, out _));

    [Theory]
    [InlineData("envoy.config.core.v3")]
    [InlineData("envoy.config.core.v3.Address.Types")]
    [InlineData("System.String")]
    [InlineData("")]
    [InlineData("a..b")]
    [InlineData("google.protobuf.Nope")]
    [InlineData("envoy,x[]")]
    public void Unknown_types_are_null(string name) => Assert.Null(MessageTypes.Find(name));
}
