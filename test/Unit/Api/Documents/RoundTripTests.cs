using FsCheck;
using FsCheck.Fluent;
using Google.Protobuf;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Xunit;

namespace Lateen.Test.Unit.Api.Documents;

public sealed class RoundTripTests
{
    private static readonly string[] Types =
    [
        "istio.networking.v1alpha3.VirtualService", "istio.networking.v1alpha3.DestinationRule", "istio.mesh.v1alpha1.MeshConfig",
        "kubernetes.core.v1.Pod",
        "kubernetes.gateway.v1.HTTPRoute", "envoy.config.listener.v3.Listener", "envoy.config.cluster.v3.Cluster",
        "envoy.config.route.v3.RouteConfiguration",
        "google.protobuf.Struct", "istio.extensions.v1alpha1.WasmPlugin", "envoy.config.bootstrap.v3.Bootstrap",
    ];

    [Fact]
    public void A_message_survives_json_and_yaml()
    {
        Prop.ForAll<int>(seed =>
        {
            var message = new RandomMessages(seed).Make(MessageTypes.Find(Types[(seed & 0x7FFFFFFF) % Types.Length])!);
            var options = new WriterOptions { OriginalNames = seed % 2 == 0 };
            return Same(message, MessageWriter.ToJson(message, indented: seed % 3 == 0, options))
                && Same(message, MessageWriter.ToYaml(message, options));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Our_json_is_what_the_protobuf_library_writes()
    {
        for (var seed = 0; seed < 60; seed++)
        {
            var message = new RandomMessages(seed).Make(MessageTypes.Find("istio.networking.v1alpha3.DestinationRule")!);
            var theirs = DocumentReader.ReadSingle(JsonFormatter.Default.Format(message), "", [])!;
            Assert.Equal(Sorted(theirs), Sorted(MessageWriter.ToNode(message)));
        }
    }

    private static bool Same(IMessage message, string text)
    {
        var bag = new DiagnosticBag();
        var node = DocumentReader.ReadSingle(text, "", bag);
        var again = message.Descriptor.Parser.ParseFrom(ByteString.Empty);
        new MessageReader("", bag).ReadInto(node, again);
        Assert.True(bag.Count == 0, $"{string.Join('\n', bag)}\n{text}");
        Assert.True(DeterministicBytes.Of(message).Equals(DeterministicBytes.Of(again)),
            $"{text}\n--- again\n{MessageWriter.ToYaml(again)}");
        return true;
    }

    private static string Sorted(Node node) => node switch
    {
        MappingNode mapping => "{"
            + string.Join(",", mapping.Members.OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => m.Name + ":" + Sorted(m.Value)))
            + "}",
        SequenceNode sequence => "[" + string.Join(",", sequence.Items.Select(Sorted)) + "]",
        ScalarNode { Kind: ScalarKind.Float } scalar => double.Parse(scalar.Value, System.Globalization.CultureInfo.InvariantCulture)
            .ToString(System.Globalization.CultureInfo.InvariantCulture),
        ScalarNode scalar => scalar.Value,
        _ => "",
    };
}
