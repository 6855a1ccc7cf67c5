// gRPC over HTTP/2 without sockets: status codes, the five-byte prefix of messages, and the percent-encoding of grpc-message. Streams,
// headers and flow control belong to who owns the connection (Grpc in ControlPlane, Http/Two in Proxy); the frames are theirs, the
// bytes inside are read and written here.
//
// Nothing here allocates beyond the messages themselves, and nothing throws for what a peer can send.
// Refused: the gRPC packages (they bring their own channel, call and threading model, and are not needed for bytes).
using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;

namespace Lateen.Api.Grpc;

/// <summary>The prefix of a message: one byte that tells whether it is compressed, four bytes of length, big-endian.</summary>
public static class GrpcFrame
{
    /// <summary>Bytes before the message.</summary>
    public const int PrefixBytes = 5;

    /// <summary>Writes prefix and message, not compressed.</summary>
    public static void Write(IMessage message, IBufferWriter<byte> output)
    {
        var length = message.CalculateSize();
        var span = output.GetSpan(PrefixBytes + length);
        WritePrefix(span, length);
        message.WriteTo(span.Slice(PrefixBytes, length));
        output.Advance(PrefixBytes + length);
    }

    /// <summary>Prefix and message as one array.</summary>
    public static byte[] ToArray(IMessage message)
    {
        var length = message.CalculateSize();
        var bytes = new byte[PrefixBytes + length];
        WritePrefix(bytes, length);
        message.WriteTo(bytes.AsSpan(PrefixBytes));
        return bytes;
    }

    public static void WritePrefix(Span<byte> destination, int length)
    {
        destination[0] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(destination[1..], (uint)length);
    }
}
