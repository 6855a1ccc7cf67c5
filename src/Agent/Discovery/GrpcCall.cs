using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf;
using Lateen.Api.Grpc;

namespace Lateen.Agent.Discovery;

/// <summary>
/// One bidirectional gRPC call on a connection of its own: the frames of HTTP/2 (RFC 9113) that a single stream needs. Answer headers are
/// not decoded: messages are what is wanted, and how a call ended makes no difference to who will simply ask again.
/// </summary>
public sealed class GrpcCall : IDisposable
{
    private const byte Data = 0, Headers = 1, Reset = 3, Settings = 4, Ping = 6, GoAway = 7, WindowUpdate = 8;
    private const byte EndStream = 1, Ack = 1, EndHeaders = 4, Padded = 8;
    private const int FrameHeaderBytes = 9, FrameBytesMax = 16384, MessageBytesMax = 64 << 20, StreamId = 1;
    private static readonly byte[] Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();
    private readonly Socket _socket;
    private readonly GrpcFrameReader _messages = new(MessageBytesMax);
    private readonly byte[] _frame = new byte[FrameHeaderBytes + FrameBytesMax];

    /// <summary>Begins a call of <paramref name="method"/> ("/package.Service/Method").</summary>
    /// <exception cref="SocketException">The connection broke.</exception>
    public GrpcCall(Socket socket, string method)
    {
        _socket = socket;
        Send(Preface);
        SendFrame(Settings, 0, 0, []);
        SendFrame(Headers, EndHeaders, StreamId, HeaderBlock(method));
    }

    /// <summary>Sends a message.</summary>
    public void Write(IMessage message)
    {
        ReadOnlySpan<byte> rest = GrpcFrame.ToArray(message);
        // Requests of an agent are far below the window of 65,535 bytes that every peer grants.
        for (; rest.Length > 0; rest = rest[Math.Min(rest.Length, FrameBytesMax)..]) SendFrame(Data, 0, StreamId, rest[..Math.Min(rest.Length, FrameBytesMax)]);
    }

    /// <summary>Reads until the call ends, handing over each message's bytes.</summary>
    /// <exception cref="SocketException">The connection broke.</exception>
    public void ReadAll(Action<ReadOnlyMemory<byte>> onMessage)
    {
        while (ReadFrame(out byte type, out byte flags, out ReadOnlyMemory<byte> payload))
        {
            switch (type)
            {
                case Data:
                    if (payload.Length > 0) GiveWindow(payload.Length);
                    if (!Take((flags & Padded) != 0 ? payload[1..^payload.Span[0]] : payload, onMessage)) return;
                    break;
                case Settings when (flags & Ack) == 0:
                    SendFrame(Settings, Ack, 0, []);
                    break;
                case Ping when (flags & Ack) == 0:
                    SendFrame(Ping, Ack, 0, payload.Span);
                    break;
                case Reset or GoAway:
                    return;
            }
            if (type is Data or Headers && (flags & EndStream) != 0) return;
        }
    }

    public void Dispose() => _socket.Dispose();

    private bool Take(ReadOnlyMemory<byte> bytes, Action<ReadOnlyMemory<byte>> onMessage)
    {
        ReadOnlySpan<byte> rest = bytes.Span;
        while (rest.Length > 0)
        {
            GrpcFrameResult result = _messages.Read(ref rest, out ReadOnlySpan<byte> message);
            if (result == GrpcFrameResult.Message) onMessage(message.ToArray());
            else if (result != GrpcFrameResult.NeedMore) return false;
        }
        return true;
    }

    private bool ReadFrame(out byte type, out byte flags, out ReadOnlyMemory<byte> payload)
    {
        (type, flags, payload) = (0, 0, default);
        if (!ReadExactly(_frame.AsSpan(0, FrameHeaderBytes))) return false;
        int length = (_frame[0] << 16) | (_frame[1] << 8) | _frame[2];
        if (length > FrameBytesMax || !ReadExactly(_frame.AsSpan(FrameHeaderBytes, length))) return false;
        (type, flags, payload) = (_frame[3], _frame[4], _frame.AsMemory(FrameHeaderBytes, length));
        return true;
    }

    private bool ReadExactly(Span<byte> into)
    {
        while (into.Length > 0)
        {
            int count = _socket.Receive(into);
            if (count == 0) return false;
            into = into[count..];
        }
        return true;
    }

    private void GiveWindow(int bytes)
    {
        Span<byte> increment = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(increment, bytes);
        SendFrame(WindowUpdate, 0, 0, increment);
        SendFrame(WindowUpdate, 0, StreamId, increment);
    }

    private void SendFrame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        byte[] frame = new byte[FrameHeaderBytes + payload.Length];
        (frame[0], frame[1], frame[2], frame[3], frame[4]) = ((byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsSpan(FrameHeaderBytes));
        Send(frame);
    }

    private void Send(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0) bytes = bytes[_socket.Send(bytes)..];
    }

    // HPACK (RFC 7541) without indexing and without Huffman: 0x83 POST, 0x86 http, then names by their static index or in full.
    private static byte[] HeaderBlock(string method)
    {
        var block = new List<byte> { 0x83, 0x86 };
        Literal(block, [0x04], method);
        Literal(block, [0x01], "control-plane");
        Literal(block, [0x0f, 31 - 15], "application/grpc");
        block.Add(0);
        Text(block, "te");
        Text(block, "trailers");
        return [.. block];
    }

    private static void Literal(List<byte> block, ReadOnlySpan<byte> name, string value)
    {
        block.AddRange(name);
        Text(block, value);
    }

    // Lengths here are below 127, so they fit the 7-bit prefix.
    private static void Text(List<byte> block, string text)
    {
        block.Add((byte)text.Length);
        block.AddRange(Encoding.ASCII.GetBytes(text));
    }
}
