using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf;
using Lateen.Api.Grpc;

namespace Lateen.Bench.Load.Mesh;

/// <summary>One gRPC call on one connection, no more of HTTP/2 than it needs: frames in, messages out. Windows are as wide as
/// Envoy's.</summary>
internal sealed class HttpTwoStream : IDisposable
{
    private const int Window = 16 << 20, FrameBytesMax = 16384, HeadBytes = 9;
    private const byte DataFrame = 0, HeadersFrame = 1, ResetFrame = 3, SettingsFrame = 4, PingFrame = 6, GoAwayFrame = 7, WindowFrame = 8;
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly ArrayBufferWriter<byte> _unsent = new(1024), _out = new(1024);
    private readonly byte[] _in = new byte[32 << 10];
    private readonly GrpcFrameReader _messages = new(256 << 20);
    private int _filled, _consumed;
    private long _streamCredit = 65535, _connectionCredit = 65535;

    /// <summary>Connects and opens the call.</summary>
    public async Task OpenAsync(IPEndPoint server, string path)
    {
        await _socket.ConnectAsync(server);
        _out.Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        Span<byte> setting = stackalloc byte[6];
        BinaryPrimitives.WriteUInt16BigEndian(setting, 4); // SETTINGS_INITIAL_WINDOW_SIZE
        BinaryPrimitives.WriteUInt32BigEndian(setting[2..], Window);
        Frame(SettingsFrame, 0, 0, setting);
        Credit(0, Window - 65535);
        Frame(HeadersFrame, 4, 1, Head(path));
        await FlushAsync();
    }

    /// <summary>Queues a message; <see cref="FlushAsync"/> sends what the windows allow.</summary>
    public void Add(IMessage message) => GrpcFrame.Write(message, _unsent);

    /// <summary>Sends what is queued, as far as the server takes it.</summary>
    public async ValueTask FlushAsync()
    {
        int sent = 0;
        while (sent < _unsent.WrittenCount)
        {
            int now = (int)Math.Min(Math.Min(_unsent.WrittenCount - sent, FrameBytesMax), Math.Min(_streamCredit, _connectionCredit));
            if (now <= 0)
                break;
            Frame(DataFrame, 0, 1, _unsent.WrittenSpan.Slice(sent, now));
            (sent, _streamCredit, _connectionCredit) = (sent + now, _streamCredit - now, _connectionCredit - now);
        }
        if (sent > 0)
        {
            byte[] rest = _unsent.WrittenSpan[sent..].ToArray();
            _unsent.ResetWrittenCount();
            _unsent.Write(rest);
        }
        for (ReadOnlyMemory<byte> bytes = _out.WrittenMemory; bytes.Length > 0;)
            bytes = bytes[await _socket.SendAsync(bytes)..];
        _out.ResetWrittenCount();
    }

    /// <summary>Reads what has arrived and hands on every whole message in it. False when the call is over.</summary>
    public async ValueTask<bool> ReceiveAsync(Action<ReadOnlyMemory<byte>> take)
    {
        int read = await _socket.ReceiveAsync(_in.AsMemory(_filled));
        if (read == 0)
            return false;
        _filled += read;
        int at = 0;
        bool isOpen = true;
        while (isOpen && _filled - at >= HeadBytes)
        {
            int length = (_in[at] << 16) | (_in[at + 1] << 8) | _in[at + 2];
            if (_filled - at < HeadBytes + length)
                break;
            isOpen = Take(_in[at + 3], _in[at + 4], _in[at + 8] == 0, _in.AsSpan(at + HeadBytes, length), take);
            at += HeadBytes + length;
        }
        _in.AsSpan(at, _filled - at).CopyTo(_in);
        _filled -= at;
        return isOpen;
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private bool Take(byte type, byte flags, bool isOfConnection, ReadOnlySpan<byte> payload, Action<ReadOnlyMemory<byte>> take)
    {
        switch (type)
        {
            case DataFrame:
                Give(payload.Length);
                while (payload.Length > 0)
                {
                    if (_messages.Read(ref payload, out ReadOnlySpan<byte> message) == GrpcFrameResult.Message)
                        take(message.ToArray());
                }
                return (flags & 1) == 0;
            case HeadersFrame:
                return (flags & 1) == 0;
            case SettingsFrame when (flags & 1) == 0:
                for (; payload.Length >= 6; payload = payload[6..])
                {
                    if (BinaryPrimitives.ReadUInt16BigEndian(payload) == 4)
                        _streamCredit += BinaryPrimitives.ReadUInt32BigEndian(payload[2..]) - 65535;
                }
                Frame(SettingsFrame, 1, 0, []);
                return true;
            case PingFrame when (flags & 1) == 0:
                Frame(PingFrame, 1, 0, payload);
                return true;
            case WindowFrame:
                uint more = BinaryPrimitives.ReadUInt32BigEndian(payload);
                if (isOfConnection)
                    _connectionCredit += more;
                else
                    _streamCredit += more;
                return true;
            default:
                return type is not (ResetFrame or GoAwayFrame);
        }
    }

    private void Give(int bytes)
    {
        _consumed += bytes;
        if (_consumed < Window / 4)
            return;
        Credit(0, _consumed);
        Credit(1, _consumed);
        _consumed = 0;
    }

    private void Credit(int stream, int bytes)
    {
        Span<byte> payload = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(payload, bytes);
        Frame(WindowFrame, 0, stream, payload);
    }

    private void Frame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        Span<byte> head = _out.GetSpan(HeadBytes)[..HeadBytes];
        (head[0], head[1], head[2], head[3], head[4]) =
            ((byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags);
        BinaryPrimitives.WriteInt32BigEndian(head[5..], stream);
        _out.Advance(HeadBytes);
        _out.Write(payload);
    }

    // Literal fields without indexing (RFC 7541, section 6.2.2): nothing to remember on either side.
    private static byte[] Head(string path)
    {
        var head = new List<byte>();
        foreach ((string name, string value) in new[] { (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "lateen"),
            ("content-type", "application/grpc"), ("te", "trailers") })
        {
            head.AddRange([0, (byte)name.Length, .. Encoding.ASCII.GetBytes(name), (byte)value.Length, .. Encoding.ASCII.GetBytes(value)]);
        }
        return [.. head];
    }
}
