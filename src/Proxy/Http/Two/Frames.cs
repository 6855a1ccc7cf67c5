// Two: HTTP/2 of both roles (RFC 9113) with its own HPACK (RFC 7541). A session owns what both roles share: frames, settings, windows, the
// stream table and the order in which bodies leave; a server or client connection around it turns header blocks into requests or responses.
// Streams belong to their session, the session to its transport. Nothing here blocks, logs or reads a clock; whatever a peer may send is
// bounded by CodecOptions and ends in a value. Priorities are read and ignored, as RFC 9113 5.3 allows. Bodies wait in their stream only
// while a window is closed; everything else goes to the transport at once, which sends it when the turn ends. Refused: one task or channel
// per stream (a switch for each frame), a priority tree (CVE-2019-9513), a shared encoder table lock.
using System.Buffers.Binary;

namespace Lateen.Proxy.Http.Two;

/// <summary>RFC 9113 6.</summary>
internal enum FrameType : byte
{
    Data,
    Headers,
    Priority,
    RstStream,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
}

/// <summary>RFC 9113 7.</summary>
internal enum ErrorCode : uint
{
    NoError,
    ProtocolError,
    InternalError,
    FlowControlError,
    SettingsTimeout,
    StreamClosed,
    FrameSizeError,
    RefusedStream,
    Cancel,
    CompressionError,
    ConnectError,
    EnhanceYourCalm,
    InadequateSecurity,
    Http11Required,
}

/// <summary>RFC 9113 6.5.2 and RFC 8441 3.</summary>
internal enum Setting : ushort
{
    HeaderTableSize = 1,
    EnablePush = 2,
    ConcurrentStreamsMax = 3,
    InitialWindow = 4,
    FrameSizeMax = 5,
    HeaderListMax = 6,
    EnableConnect = 8,
}

/// <summary>The nine bytes in front of each frame (RFC 9113 4.1).</summary>
internal readonly record struct FrameHead(int Length, FrameType Type, byte Flags, uint Stream)
{
    public const int Size = 9;
    public const byte EndStream = 1, Ack = 1, EndHeaders = 4, Padded = 8, HasPriority = 32;

    public bool Has(byte flag) => (Flags & flag) != 0;

    public static FrameHead Read(ReadOnlySpan<byte> from)
    {
        uint first = BinaryPrimitives.ReadUInt32BigEndian(from);
        return new FrameHead((int)(first >> 8), (FrameType)(byte)first, from[4],
            BinaryPrimitives.ReadUInt32BigEndian(from[5..]) & 0x7fffffff);
    }

    public static void Write(Span<byte> to, int length, FrameType type, byte flags, uint stream)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to, ((uint)length << 8) | (byte)type);
        to[4] = flags;
        BinaryPrimitives.WriteUInt32BigEndian(to[5..], stream);
    }
}
