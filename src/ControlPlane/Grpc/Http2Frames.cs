// Grpc: HTTP/2 as far as gRPC servers need it (RFC 9113, RFC 7541), below discovery and certificates. Kestrel accepts connections and
// shakes hands; what is said on them is read and written here, because what a control plane does is to write the same large messages to a
// thousand connections: they are written out of the bytes that all share, as far as the peer's windows allow. What is long and the same
// for many leaves from memory of the kernel, in frames that are there already; the rest goes through one small buffer that is borrowed for
// the time of a write. An idle connection holds no buffer at all.
//
// State: a connection owns its streams, its windows and its HPACK table. One task reads it. Whoever has something to say takes a turn at
// the output; what the reading side has to say (acknowledgements, windows) waits in a small bounded queue and goes out with the next turn,
// so that reading never waits for a peer that does not read.
//
// Never: a message copied whole for one peer, a queue of messages for one peer, an exception for what a peer sends.
//
// Refused: gathering writes out of the shared arrays (a copy less in the process, and the kernel's own then reads what no cache holds: as
// much time again). Kestrel's HTTP/2 for these ports (each response passes through two pipes, of blocks that are allocated anew when
// hundreds write at once: half of the CPU time and most of the garbage of a push). Priorities are read and ignored (RFC 9113 5.3). Push,
// upgrades from HTTP/1.1, and response header tables.
using System.Buffers.Binary;

namespace Lateen.ControlPlane.Grpc;

/// <summary>RFC 9113 6.</summary>
internal enum Http2FrameType : byte
{
    Data,
    Headers,
    Priority,
    Reset,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
}

/// <summary>RFC 9113 7.</summary>
internal enum Http2Error
{
    None,
    Protocol,
    Internal,
    FlowControl,
    SettingsTimeout,
    StreamClosed,
    FrameSize,
    RefusedStream,
    Cancel,
    Compression,
    Connect,
    EnhanceYourCalm,
}

/// <summary>The nine bytes before each frame, and the sizes that both sides keep to.</summary>
internal static class Http2Frames
{
    /// <summary>Bytes before a frame's payload.</summary>
    public const int HeadBytes = 9;

    /// <summary>Longest payload that either side may send before it is told otherwise; we tell nobody otherwise.</summary>
    public const int PayloadMax = 16384;

    /// <summary>The flag of an acknowledgement, and of the end of a stream.</summary>
    public const byte Ack = 1, EndStream = 1;

    /// <summary>The flag of the end of a header block.</summary>
    public const byte EndHeaders = 4;

    /// <summary>Flags of what stands before a payload.</summary>
    public const byte Padded = 8, Prioritized = 32;

    /// <summary>What a client says first.</summary>
    public static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>Writes a frame's head.</summary>
    public static void WriteHead(Span<byte> to, Http2FrameType type, byte flags, int stream, int length)
    {
        (to[0], to[1], to[2], to[3], to[4]) = ((byte)(length >> 16), (byte)(length >> 8), (byte)length, (byte)type, flags);
        BinaryPrimitives.WriteInt32BigEndian(to[5..], stream);
    }
}
