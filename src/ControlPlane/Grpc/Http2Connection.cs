using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Lateen.ControlPlane.Hosting;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Lateen.ControlPlane.Grpc;

/// <summary>One connection of a gRPC client: reads its frames, opens its calls, and keeps both directions' windows.</summary>
internal sealed class Http2Connection : IAsyncDisposable
{
    // What a client may send ahead on one call, and on all of them together.
    private const int CallWindow = 1 << 20, ConnectionWindow = 4 << 20;
    private const int CallsMax = 10_000, HeaderBlockBytesMax = 64 << 10, FirstWindow = 65535;

    private static readonly TimeSpan IdleMax = TimeSpan.FromSeconds(30), PingMax = TimeSpan.FromSeconds(10);

    private readonly ConnectionContext _connection;
    private readonly Func<GrpcCall, Task> _serve;
    private readonly Http2Output _output;
    private readonly HeaderBlockReader _headers = new();
    private readonly Dictionary<int, GrpcCall> _calls = [];
    private readonly Lock _gate = new();
    private readonly ITimer _heart;
    private readonly string _peer;
    private readonly IReadOnlyList<string> _names;
    private ArrayBufferWriter<byte>? _block;
    private (int Stream, byte Flags) _blockOf;
    private GrpcCall? _crowded;
    private long _credit = FirstWindow;
    private int _peersCallWindow = FirstWindow, _newest, _owed;
    private bool _isGreeted, _isPinged, _isClosing;
    private volatile bool _isHeard;

    private Http2Connection(ConnectionContext connection, Func<GrpcCall, Task> serve, TimeProvider time)
    {
        (_connection, _serve, Time) = (connection, serve, time);
        ProvenNames? proven = connection.Features.Get<ProvenNames>();
        _names = proven?.Uris ?? [];
        _peer = connection.RemoteEndPoint is IPEndPoint at
            ? new IPEndPoint(at.Address.IsIPv4MappedToIPv6 ? at.Address.MapToIPv4() : at.Address, at.Port).ToString() : "unix";
        // Clear text goes to the socket itself: the pipe in front of it would copy once more.
        Socket? socket = connection.Features.Get<IConnectionSocketFeature>()?.Socket;
        ClearText.LimitUnsent(socket);
        if (proven is not null) socket = null;
        _output = socket is null ? new Http2Output(PipeAsync, null, Abort)
            : new Http2Output(bytes => ClearText.SendAsync(socket, bytes), frames => ClearText.SendAsync(socket, frames), Abort);
        _heart = time.CreateTimer(_ => Beat(), null, IdleMax, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Serves a connection until it ends.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="serve">Answers a call.</param>
    /// <param name="time">Tells how long the other side has been silent.</param>
    public static async Task ServeAsync(ConnectionContext connection, Func<GrpcCall, Task> serve, TimeProvider time)
    {
        await using var served = new Http2Connection(connection, serve, time);
        IConnectionLifetimeNotificationFeature? lifetime = connection.Features.Get<IConnectionLifetimeNotificationFeature>();
        await using CancellationTokenRegistration asked = lifetime?.ConnectionClosedRequested.Register(served.Leave) ?? default;
        await served.ReadAsync(connection.Transport.Input);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _isClosing = true;
        await _heart.DisposeAsync();
        GrpcCall[] open;
        lock (_gate) open = [.. _calls.Values];
        foreach (GrpcCall call in open) call.Cut();
    }

    // ---- reading

    private async Task ReadAsync(PipeReader input)
    {
        Greet();
        try
        {
            while (true)
            {
                ReadResult read = await input.ReadAsync(_connection.ConnectionClosed);
                _isHeard = true;
                ReadOnlySequence<byte> buffer = read.Buffer;
                Http2Error error = Take(ref buffer);
                input.AdvanceTo(buffer.Start, buffer.End);
                if (error != Http2Error.None)
                {
                    GoAway(error);
                    await _output.DrainAsync();
                    return;
                }
                if (read.IsCompleted) return;
                if (_crowded is { } call) await call.EnterAsync(_connection.ConnectionClosed);
                _crowded = null;
            }
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException or SocketException or ConnectionResetException
            or ObjectDisposedException)
        {
            // The peer left; its calls are cut.
        }
    }

    private Http2Error Take(ref ReadOnlySequence<byte> buffer)
    {
        if (!_isGreeted)
        {
            if (buffer.Length < Http2Frames.Preface.Length) return Http2Error.None;
            Span<byte> preface = stackalloc byte[Http2Frames.Preface.Length];
            buffer.Slice(0, preface.Length).CopyTo(preface);
            if (!preface.SequenceEqual(Http2Frames.Preface)) return Http2Error.Protocol;
            buffer = buffer.Slice(preface.Length);
            _isGreeted = true;
        }
        Span<byte> head = stackalloc byte[Http2Frames.HeadBytes];
        while (buffer.Length >= head.Length)
        {
            buffer.Slice(0, head.Length).CopyTo(head);
            int length = (head[0] << 16) | (head[1] << 8) | head[2];
            if (length > Http2Frames.PayloadMax) return Http2Error.FrameSize;
            if (buffer.Length < head.Length + length) break;
            ReadOnlySequence<byte> payload = buffer.Slice(head.Length, length);
            Http2Error error = Take((Http2FrameType)head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head[5..]) & int.MaxValue,
                payload);
            if (error != Http2Error.None) return error;
            buffer = buffer.Slice(head.Length + length);
        }
        return Http2Error.None;
    }

    private Http2Error Take(Http2FrameType type, byte flags, int stream, in ReadOnlySequence<byte> payload)
    {
        if (payload.IsSingleSegment) return Frame(type, flags, stream, payload.FirstSpan);
        byte[] whole = ArrayPool<byte>.Shared.Rent((int)payload.Length);
        payload.CopyTo(whole);
        Http2Error error = Frame(type, flags, stream, whole.AsSpan(0, (int)payload.Length));
        ArrayPool<byte>.Shared.Return(whole);
        return error;
    }

    private Http2Error Frame(Http2FrameType type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        // Nothing may come between the parts of a header block (RFC 9113 6.10).
        if (_block is not null && (type != Http2FrameType.Continuation || stream != _blockOf.Stream)) return Http2Error.Protocol;
        return type switch
        {
            Http2FrameType.Data => Data(flags, stream, payload),
            Http2FrameType.Headers => Headers(flags, stream, payload),
            Http2FrameType.Continuation => _block is null ? Http2Error.Protocol : Block(flags, payload),
            Http2FrameType.Settings => Settings(flags, stream, payload),
            Http2FrameType.WindowUpdate => Window(stream, payload),
            Http2FrameType.Ping => Ping(flags, stream, payload),
            Http2FrameType.Reset => Reset(stream, payload),
            Http2FrameType.Priority => payload.Length == 5 && stream != 0 ? Http2Error.None : Http2Error.Protocol,
            Http2FrameType.PushPromise => Http2Error.Protocol,
            // A client that goes away ends its calls itself; frames that we do not know are ignored (RFC 9113 4.1).
            _ => Http2Error.None,
        };
    }

    private Http2Error Data(byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        int received = payload.Length;
        if (stream == 0 || stream > _newest || !Unpad(flags, ref payload)) return Http2Error.Protocol;
        // Of a call that is over: on its way while it ended.
        if (CallOf(stream) is not { } call || !call.Receive(payload, received, (flags & Http2Frames.EndStream) != 0)) GiveBack(received);
        else if (call.NeedsRoom) _crowded = call;
        return Http2Error.None;
    }

    private Http2Error Headers(byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        if ((stream & 1) == 0 || !Unpad(flags, ref payload)) return Http2Error.Protocol;
        if ((flags & Http2Frames.Prioritized) != 0)
        {
            if (payload.Length < 5) return Http2Error.FrameSize;
            payload = payload[5..];
        }
        (_block, _blockOf) = (new ArrayBufferWriter<byte>(Math.Max(payload.Length, 1)), (stream, flags));
        return Block(flags, payload);
    }

    private Http2Error Block(byte flags, ReadOnlySpan<byte> part)
    {
        if (_block!.WrittenCount + part.Length > HeaderBlockBytesMax) return Http2Error.EnhanceYourCalm;
        _block.Write(part);
        if ((flags & Http2Frames.EndHeaders) == 0) return Http2Error.None;
        (ArrayBufferWriter<byte> whole, _block) = (_block, null);
        var fields = new List<(string Name, string Value)>();
        if (!_headers.Read(whole.WrittenSpan, fields)) return Http2Error.Compression;
        bool isOver = (_blockOf.Flags & Http2Frames.EndStream) != 0;
        if (_blockOf.Stream > _newest) Open(_blockOf.Stream, fields, isOver);
        // Trailers of a request say nothing to gRPC.
        else if (isOver) CallOf(_blockOf.Stream)?.Receive([], 0, isOver);
        return Http2Error.None;
    }

    private void Open(int stream, List<(string Name, string Value)> fields, bool isOver)
    {
        _newest = stream;
        var call = new GrpcCall(this, _output, stream, fields, _peer, _names);
        lock (_gate)
        {
            if (_calls.Count >= CallsMax || _isClosing)
            {
                _output.Post(Http2FrameType.Reset, stream, (int)Http2Error.RefusedStream);
                return;
            }
            call.Credit = _peersCallWindow;
            _calls.Add(stream, call);
        }
        if (isOver) call.Receive([], 0, isOver);
        _ = Task.Run(() => call.RunAsync(_serve));
    }

    private Http2Error Settings(byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        if (stream != 0) return Http2Error.Protocol;
        if ((flags & Http2Frames.Ack) != 0) return payload.IsEmpty ? Http2Error.None : Http2Error.FrameSize;
        if (payload.Length % 6 != 0) return Http2Error.FrameSize;
        for (; !payload.IsEmpty; payload = payload[6..])
        {
            // SETTINGS_INITIAL_WINDOW_SIZE, which changes the windows of open calls, too (RFC 9113 6.9.2). Frames and tables stay as small
            // as they are at first.
            if (BinaryPrimitives.ReadUInt16BigEndian(payload) != 4) continue;
            uint window = BinaryPrimitives.ReadUInt32BigEndian(payload[2..]);
            if (window > int.MaxValue) return Http2Error.FlowControl;
            lock (_gate)
            {
                foreach (GrpcCall call in _calls.Values) call.Credit += (int)window - _peersCallWindow;
                _peersCallWindow = (int)window;
            }
        }
        _output.Post(Http2FrameType.Settings, Http2Frames.Ack, 0, []);
        WakeAll();
        return Http2Error.None;
    }

    private Http2Error Window(int stream, ReadOnlySpan<byte> payload)
    {
        if (payload.Length != 4) return Http2Error.FrameSize;
        int more = BinaryPrimitives.ReadInt32BigEndian(payload) & int.MaxValue;
        if (more == 0) return Http2Error.Protocol;
        if (stream == 0)
        {
            lock (_gate)
            {
                _credit += more;
                if (_credit > int.MaxValue) return Http2Error.FlowControl;
            }
            WakeAll();
            return Http2Error.None;
        }
        if (stream > _newest) return Http2Error.Protocol;
        if (CallOf(stream) is not { } call) return Http2Error.None;
        lock (_gate)
        {
            call.Credit += more;
            if (call.Credit > int.MaxValue) return Http2Error.FlowControl;
        }
        call.Wake();
        return Http2Error.None;
    }

    private Http2Error Ping(byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        if (stream != 0) return Http2Error.Protocol;
        if (payload.Length != 8) return Http2Error.FrameSize;
        if ((flags & Http2Frames.Ack) == 0) _output.Post(Http2FrameType.Ping, Http2Frames.Ack, 0, payload);
        return Http2Error.None;
    }

    private Http2Error Reset(int stream, ReadOnlySpan<byte> payload)
    {
        if (payload.Length != 4) return Http2Error.FrameSize;
        if (stream == 0 || stream > _newest) return Http2Error.Protocol;
        CallOf(stream)?.Cut();
        return Http2Error.None;
    }

    private static bool Unpad(byte flags, ref ReadOnlySpan<byte> payload)
    {
        if ((flags & Http2Frames.Padded) == 0) return true;
        if (payload.IsEmpty || payload[0] >= payload.Length) return false;
        payload = payload[1..^payload[0]];
        return true;
    }

    /// <summary>Tells the time.</summary>
    internal TimeProvider Time { get; }

    // ---- windows

    /// <summary>Takes room for bytes of a call out of both windows; 0 when there is none now.</summary>
    internal int Reserve(GrpcCall call, int wanted)
    {
        lock (_gate)
        {
            int now = (int)Math.Max(0, Math.Min(wanted, Math.Min(_credit, call.Credit)));
            _credit -= now;
            call.Credit -= now;
            return now;
        }
    }

    /// <summary>The client may send as much again on the connection.</summary>
    internal void GiveBack(int bytes)
    {
        int now;
        lock (_gate)
        {
            _owed += bytes;
            if (_owed < ConnectionWindow / 4) return;
            (now, _owed) = (_owed, 0);
        }
        _output.Post(Http2FrameType.WindowUpdate, 0, now);
    }

    /// <summary>A call is over.</summary>
    internal void Forget(int stream)
    {
        lock (_gate) _calls.Remove(stream);
    }

    private GrpcCall? CallOf(int stream)
    {
        lock (_gate) return _calls.GetValueOrDefault(stream);
    }

    private void WakeAll()
    {
        GrpcCall[] open;
        lock (_gate) open = [.. _calls.Values];
        foreach (GrpcCall call in open) call.Wake();
    }

    // ---- the connection as a whole

    private void Greet()
    {
        Span<byte> settings = stackalloc byte[12];
        BinaryPrimitives.WriteUInt16BigEndian(settings, 3); // SETTINGS_MAX_CONCURRENT_STREAMS
        BinaryPrimitives.WriteInt32BigEndian(settings[2..], CallsMax);
        BinaryPrimitives.WriteUInt16BigEndian(settings[6..], 4); // SETTINGS_INITIAL_WINDOW_SIZE
        BinaryPrimitives.WriteInt32BigEndian(settings[8..], CallWindow);
        _output.Post(Http2FrameType.Settings, 0, 0, settings);
        _output.Post(Http2FrameType.WindowUpdate, 0, ConnectionWindow - FirstWindow);
    }

    private void GoAway(Http2Error error)
    {
        Span<byte> payload = stackalloc byte[8];
        BinaryPrimitives.WriteInt32BigEndian(payload, _newest);
        BinaryPrimitives.WriteInt32BigEndian(payload[4..], (int)error);
        _output.Post(Http2FrameType.GoAway, 0, 0, payload);
    }

    // The process stops: the client is told, and its calls are cut so that it goes elsewhere.
    private void Leave()
    {
        GoAway(Http2Error.None);
        _ = DisposeAsync().AsTask();
        _connection.Transport.Input.CancelPendingRead();
        _ = AbortDrainedAsync();
    }

    private async Task AbortDrainedAsync()
    {
        await _output.DrainAsync();
        Abort();
    }

    private void Abort() => _connection.Abort();

    // Who says nothing for a while is asked whether it is still there, and has a little time to say so.
    private void Beat()
    {
        if (_isClosing) return;
        if (_isHeard || !_isPinged)
        {
            _isPinged = !_isHeard;
            _isHeard = false;
            if (_isPinged) _output.Post(Http2FrameType.Ping, 0, 0, stackalloc byte[8]);
            _heart.Change(_isPinged ? PingMax : IdleMax, Timeout.InfiniteTimeSpan);
            return;
        }
        Abort();
    }

    private async ValueTask PipeAsync(ReadOnlyMemory<byte> bytes)
    {
        FlushResult flushed = await _connection.Transport.Output.WriteAsync(bytes);
        if (flushed.IsCompleted) throw new IOException("the connection is closed");
    }
}
