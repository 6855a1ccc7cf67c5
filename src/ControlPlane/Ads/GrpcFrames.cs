// Ads: discovery streams over gRPC, as far as Kestrel's HTTP/2 has to be told what gRPC is.
//
// gRPC is five bytes before each message (one flag, four of length) and a status in the trailers; the messages are the generated ones of
// Schema. A stream is two tasks: one reads frames and posts them to the control loop, one asks the loop for the next response, writes it and
// waits until the peer has taken it. Nothing is queued per stream but that one response, so a slow proxy costs one message of memory and
// delays nobody; what changes meanwhile is merged in its session. Sessions, versions and nonces belong to Pilot/Push, not to this folder.
//
// Refused: Grpc.AspNetCore (a second pipeline with its own buffers, for one service of two methods); a queue of rendered responses a stream
// (unbounded when bounded badly, stale when bounded well).
using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Google.Protobuf;
using Lateen.Api.Documents;
using Lateen.Api.Grpc;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Ads;

/// <summary>What reading one gRPC frame came to: a message, the clean end of the stream, or the status to refuse it with.</summary>
public readonly record struct GrpcRead<T>(T? Message, bool Ended, GrpcEnding Refusal) where T : class;

/// <summary>Length-prefixed gRPC messages on a pipe.</summary>
public static class GrpcFrames
{
    // As much as Kestrel takes of a response before it makes the writer wait.
    private const int PortionBytes = 64 << 10;

    /// <summary>Reads the next message; at most <paramref name="messageBytesMax"/> bytes of it.</summary>
    public static async ValueTask<GrpcRead<T>> ReadAsync<T>(PipeReader reader, MessageParser<T> parser, int messageBytesMax, CancellationToken cancel)
        where T : class, IMessage<T>
    {
        while (true)
        {
            ReadResult read = await reader.ReadAsync(cancel);
            ReadOnlySequence<byte> buffer = read.Buffer;
            if (buffer.Length >= GrpcFrame.PrefixBytes)
            {
                (bool compressed, uint length) = Prefix(buffer);
                if (compressed) return Refused<T>(reader, buffer, new(GrpcStatus.Unimplemented, "compressed messages are not accepted: send grpc-encoding identity"));
                if (length > messageBytesMax)
                    return Refused<T>(reader, buffer, new(GrpcStatus.ResourceExhausted, $"message of {length} bytes, the limit is {messageBytesMax}"));
                if (buffer.Length >= GrpcFrame.PrefixBytes + length)
                    return Parse(reader, buffer.Slice(GrpcFrame.PrefixBytes, length), parser);
            }

            if (read.IsCompleted)
            {
                bool clean = buffer.IsEmpty;
                reader.AdvanceTo(buffer.End);
                return clean ? new(null, true, default) : new(null, false, new(GrpcStatus.Internal, "the stream ended inside a message"));
            }
            reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    /// <summary>Writes one message and waits until the transport has taken it: back-pressure of the peer's flow control arrives here.</summary>
    public static async ValueTask<bool> WriteAsync(PipeWriter writer, IMessage message, CancellationToken cancel)
    {
        GrpcFrame.Write(message, writer);
        FlushResult flushed = await writer.FlushAsync(cancel);
        return !flushed.IsCompleted && !flushed.IsCanceled;
    }

    /// <summary>Writes one response out of its pieces and waits until the transport has taken it.</summary>
    /// <remarks>A response of megabytes passes through in portions, so that a stream holds no more of it than one.</remarks>
    public static async ValueTask<bool> WriteAsync(PipeWriter writer, AdsResponse response, CancellationToken cancel)
    {
        GrpcFrame.WritePrefix(writer.GetSpan(GrpcFrame.PrefixBytes), response.Size);
        writer.Advance(GrpcFrame.PrefixBytes);
        for ((int piece, int from) = (0, 0); piece < response.PieceCount;)
        {
            (piece, from) = Portion(writer, response, piece, from);
            FlushResult flushed = await writer.FlushAsync(cancel);
            if (flushed.IsCompleted || flushed.IsCanceled) return false;
        }
        return true;
    }

    /// <summary>One response with its prefix as one array.</summary>
    public static byte[] ToArray(AdsResponse response)
    {
        byte[] bytes = [.. stackalloc byte[GrpcFrame.PrefixBytes], .. response.Bytes()];
        GrpcFrame.WritePrefix(bytes, response.Size);
        return bytes;
    }

    // Where the next portion begins: a piece, and a place in it.
    private static (int Piece, int From) Portion(PipeWriter writer, AdsResponse response, int piece, int from)
    {
        for (int left = PortionBytes; piece < response.PieceCount; piece++)
        {
            ReadOnlySpan<byte> bytes = response.Piece(piece)[from..];
            if (bytes.Length > left)
            {
                writer.Write(bytes[..left]);
                return (piece, from + left);
            }
            writer.Write(bytes);
            left -= bytes.Length;
            from = 0;
        }
        return (piece, from);
    }

    private static (bool Compressed, uint Length) Prefix(ReadOnlySequence<byte> buffer)
    {
        Span<byte> prefix = stackalloc byte[GrpcFrame.PrefixBytes];
        buffer.Slice(0, GrpcFrame.PrefixBytes).CopyTo(prefix);
        return (prefix[0] != 0, BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]));
    }

    private static GrpcRead<T> Parse<T>(PipeReader reader, ReadOnlySequence<byte> body, MessageParser<T> parser) where T : class, IMessage<T>
    {
        try
        {
            return new(parser.ParseFrom(body), false, default);
        }
        catch (Exception malformed) when (BrokenBytes.Shown(malformed))
        {
            return new(null, false, new(GrpcStatus.Internal, "the message is not a " + typeof(T).Name + ": " + malformed.Message));
        }
        finally
        {
            reader.AdvanceTo(body.End);
        }
    }

    private static GrpcRead<T> Refused<T>(PipeReader reader, ReadOnlySequence<byte> buffer, GrpcEnding status) where T : class
    {
        reader.AdvanceTo(buffer.End);
        return new(null, false, status);
    }
}
