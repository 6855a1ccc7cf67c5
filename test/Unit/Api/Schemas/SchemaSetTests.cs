using Google.Protobuf;
using Google.Protobuf.Reflection;
using Lateen.Api.Documents;
using Lateen.Api.Schemas;
using Xunit;

namespace Lateen.Unit.Api.Schemas;

/// <summary>The shapes say the same as the generated descriptors.</summary>
public sealed class SchemaSetTests
{
    private static readonly List<string> Names = [.. SchemaSet.Names()];

    [Fact]
    public void Every_message_of_the_schema_has_a_class_and_a_descriptor_of_the_same_name()
    {
        Assert.True(Names.Count > 1000);
        Assert.DoesNotContain(Names,
            n => !n.StartsWith("google.protobuf.", StringComparison.Ordinal) && MessageTypes.Find(n)?.FullName != n);
    }

    [Fact]
    public void Every_class_is_found()
    {
        foreach (string name in Names)
        {
            if (MessageTypes.Find(name) is { } descriptor)
                Assert.Equal(name, SchemaSet.Of(descriptor.ClrType).FullName);
        }
    }

    [Fact]
    public void Fields_are_those_of_the_descriptors()
    {
        foreach (string name in Names)
        {
            if (MessageTypes.Find(name) is not { } descriptor)
                continue;
            MessageShape shape = SchemaSet.Find(name)!;
            Assert.Equal(descriptor.Fields.InDeclarationOrder().Select(Told), shape.Fields.Select(f => Told(descriptor, f)));
        }
    }

    [Theory]
    [InlineData("envoy.config.core.v3")]
    [InlineData("envoy.config.core.v3.ADDRESS")]
    [InlineData("envoy.config.core.v3.RoutingPriority")]
    [InlineData("")]
    [InlineData("a..b")]
    public void Other_names_are_not_found(string name) => Assert.Null(SchemaSet.Find(name));

    [Fact]
    public void The_order_of_a_text_does_not_show_in_the_bytes()
    {
        MessageShape shape = SchemaSet.Find("istio.networking.v1alpha3.DestinationRule")!;
        ByteString one = Bytes("""{"host":"a","subsets":[{"name":"v1","labels":{"b":"2","a":"1"}}],"exportTo":["."]}""", shape);
        ByteString two = Bytes("""{"exportTo":["."],"subsets":[{"labels":{"a":"1","b":"2"},"name":"v1"}],"host":"a"}""", shape);
        Assert.Equal(one, two);
        Assert.Equal(one, DeterministicBytes.Of(Istio.Networking.V1Alpha3.DestinationRule.Parser.ParseFrom(two)));
    }

    private static ByteString Bytes(string json, MessageShape shape)
    {
        var mistakes = new Lateen.Api.Diagnostics.DiagnosticBag();
        ByteString bytes = new MessageReader("", mistakes).ReadBytes(DocumentReader.ReadSingle(json, "", mistakes), shape);
        Assert.Empty(mistakes);
        return bytes;
    }

    private static string Told(FieldDescriptor f) =>
        $"{f.FieldNumber} {f.Name} {f.JsonName} {f.FieldType} {f.IsRepeated} {f.IsMap} {f.RealContainingOneof?.Name} {f.HasPresence} {(f.FieldType == FieldType.Message ? f.MessageType.FullName : "")} {(f.FieldType == FieldType.Enum ? f.EnumType.FullName : "")}";

    private static string Told(MessageDescriptor of, FieldShape f) =>
        $"{f.Number} {f.Name} {f.JsonName} {f.Type} {f.IsRepeated} {f.IsMap} {(f.Oneof >= 0 ? of.Oneofs[f.Oneof].Name : null)} {f.HasPresence} {f.Message?.FullName} {f.Enum?.FullName}";
}
