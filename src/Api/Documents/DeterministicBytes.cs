using Google.Protobuf;

namespace Lateen.Api.Documents;

/// <summary>Equal messages give equal bytes: maps are written in the order of their keys. Versions and comparisons are built on this.</summary>
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
