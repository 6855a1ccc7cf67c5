// Trees of nodes to protobuf messages and back, by descriptor, with the rules of proto-JSON and the few liberties that Istio and Kubernetes
// take: durations in Go's form, IntOrString and Quantity as plain values. Types are found by name, so that nothing is registered at start.
//
// A reader belongs to one document; writers and types are stateless. No message is ever half refused: a mistake leaves one field unset, and
// the bag says so. They stand apart from the texts because a Struct, which was never a text, is read by the same reader.
// The namespace is that of the folder above: to everybody else it is one thing.
using Google.Protobuf;

namespace Lateen.Api.Documents;

/// <summary>Equal messages give equal bytes: maps are written in the order of their keys. Versions and comparisons are built on
/// this.</summary>
public static class DeterministicBytes
{
    public static ByteString Of(IMessage message)
    {
        var bytes = new byte[message.CalculateSize()];
        using var output = new CodedOutputStream(bytes) { Deterministic = true };
        message.WriteTo(output);
        output.CheckNoSpaceLeft();
        return UnsafeByteOperations.UnsafeWrap(bytes);
    }
}
