using System.Text;
using System.Threading.Channels;
using Google.Protobuf;
using Lateen.Api.Documents;
using Lateen.Api.Grpc;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Grpc;

/// <summary>What reading one message came to: a message, the clean end of the stream, or the status to refuse it with.</summary>
public readonly record struct GrpcRead<T>(T? Message, bool Ended, GrpcEnding Refusal) where T : class;

/// <summary>One gRPC call: messages of the client in, messages to it out, and how it ends.</summary>
#pragma warning disable CA1001 // neither field has a handle behind it as it is used here: there is nothing to free, and a late wake must find them whole
public sealed class GrpcCall
#pragma warning restore CA1001
{
    // What arrived and is not yet read, before the client must wait.
    private const int UnreadBytesMax = 256 << 10, MessageBytesMax = 4 << 20, GiveBackBytes = 256 << 10;
    private readonly Http2Connection _connection;
    private readonly Http2Output _output;
    private readonly int _stream;
    private readonly Channel<BorrowedMessage> _arrived =
        Channel.CreateUnbounded<BorrowedMessage>(new UnboundedChannelOptions { AllowSynchronousContinuations = true });
    private readonly IncomingMessages _messages = new(MessageBytesMax);
    private readonly CancellationTokenSource _aborted = new();
    private readonly SemaphoreSlim _room = new(0, 1);
    private int _unread, _held, _owed;
    private bool _isStarted, _isEnded, _isInputOver;
    private GrpcEnding? _fault;

    internal GrpcCall(Http2Connection connection, Http2Output output, int stream, List<(string Name, string Value)> fields, string peer,
        IReadOnlyList<string> names)
    {
        (_connection, _output, _stream, Peer, ProvenNames) = (connection, output, stream, peer, names);
        Headers = fields.GroupBy(field => field.Name)
            .ToDictionary(group => group.Key, group => (IReadOnlyList<string>)[.. group.Select(field => field.Value)]);
    }

    /// <summary>What is called: /SERVICE/METHOD.</summary>
    public string Path => Headers.GetValueOrDefault(":path")?[0] ?? "";

    /// <summary>By name, in small letters.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Headers { get; }

    /// <summary>address:port of the other side; "unix" for a socket of this machine.</summary>
    public string Peer { get; }

    /// <summary>URI names that the other side proved in the handshake.</summary>
    public IReadOnlyList<string> ProvenNames { get; }

    /// <summary>Cancelled when the other side is gone.</summary>
    public CancellationToken Aborted => _aborted.Token;

    /// <summary>How much may be sent; guarded by the connection.</summary>
    internal long Credit { get; set; }

    // ---- what the handler does

    /// <summary>Sends the headers, which some clients wait for before they say anything.</summary>
    public void Start()
    {
        if (_isStarted) return;
        _isStarted = true;
        // :status 200 is entry 8 of the static table, content-type the name of entry 31.
        _output.Post(Http2FrameType.Headers, Http2Frames.EndHeaders, _stream, [0x88, 0x0f, 0x10, 16, .. "application/grpc"u8]);
    }

    /// <summary>Waits until a message, or the end, is there to be read.</summary>
    /// <returns>How many bytes the message has; 0 at the end.</returns>
    public async ValueTask<int> ArrivedAsync(CancellationToken cancel) =>
        await _arrived.Reader.WaitToReadAsync(cancel) && _arrived.Reader.TryPeek(out BorrowedMessage next) ? next.Length : 0;

    /// <summary>Reads the next message.</summary>
    /// <param name="parser">Of its type.</param>
    /// <param name="bytesMax">Longest that is accepted.</param>
    /// <param name="cancel">Ends the wait.</param>
    public ValueTask<GrpcRead<T>> ReadAsync<T>(MessageParser<T> parser, int bytesMax, CancellationToken cancel)
        where T : class, IMessage<T> => ReadAsync(
            message =>
            {
                using (message) return parser.ParseFrom(message.Bytes.Span);
            }, typeof(T).Name, bytesMax, cancel);

    /// <summary>Reads the next message.</summary>
    /// <param name="read">Makes something of the bytes, which are its own from then on.</param>
    /// <param name="type">What they are to be.</param>
    /// <param name="bytesMax">Longest that is accepted.</param>
    /// <param name="cancel">Ends the wait.</param>
    internal async ValueTask<GrpcRead<T>> ReadAsync<T>(Func<BorrowedMessage, T> read, string type, int bytesMax, CancellationToken cancel)
        where T : class
    {
        if (!await _arrived.Reader.WaitToReadAsync(cancel) || !_arrived.Reader.TryRead(out BorrowedMessage message))
        {
            Aborted.ThrowIfCancellationRequested();
            return _fault is { } refusal ? new(null, false, refusal) : new(null, true, default);
        }
        Taken(message.Length);
        try
        {
            if (message.Length <= bytesMax) return new(read(message), false, default);
            message.Dispose();
            return new(null, false, new(GrpcStatus.ResourceExhausted, $"message of {message.Length} bytes, the limit is {bytesMax}"));
        }
        catch (Exception malformed) when (BrokenBytes.Shown(malformed))
        {
            return new(null, false, new(GrpcStatus.Internal, $"the message is not a {type}: " + malformed.Message));
        }
    }

    /// <summary>Sends a message as the windows allow, and returns when it has left. False when the call is over.</summary>
    public ValueTask<bool> WriteAsync(AdsResponse response, CancellationToken cancel) =>
        WriteAsync(OutgoingMessage.Of(response, _stream, _output.TakesFiles ? _connection.Time : null), cancel);

    /// <summary>Sends a message as the windows allow, and returns when it has left. False when the call is over.</summary>
    public ValueTask<bool> WriteAsync(IMessage message, CancellationToken cancel) => WriteAsync(OutgoingMessage.Of(message), cancel);

    private async ValueTask<bool> WriteAsync(OutgoingMessage message, CancellationToken cancel)
    {
        using OutgoingMessage leaving = message;
        Start();
        while (message.Left > 0)
        {
            int now = _connection.Reserve(this, message.Turn);
            if (now == 0) await _room.WaitAsync(cancel);
            else if (!await _output.SendAsync(_stream, message, now)) return false;
        }
        return true;
    }

    /// <summary>Ends the call.</summary>
    public void End(GrpcEnding ending)
    {
        if (_isEnded || Aborted.IsCancellationRequested) return;
        Start();
        _isEnded = true;
        var trailers = new List<byte>();
        Add(trailers, "grpc-status", ((int)ending.Status).ToString(System.Globalization.CultureInfo.InvariantCulture));
        if (!string.IsNullOrEmpty(ending.Message)) Add(trailers, "grpc-message", GrpcMessageText.Encode(ending.Message));
        byte[] block = [.. trailers];
        _output.Post(Http2FrameType.Headers, Http2Frames.EndHeaders | Http2Frames.EndStream, _stream,
            block.AsSpan(0, Math.Min(block.Length, Http2Frames.PayloadMax)));
        // The rest of a request that is answered is not wanted (RFC 9113 8.1).
        if (!_isInputOver) _output.Post(Http2FrameType.Reset, _stream, (int)Http2Error.None);
    }

    private bool IsGrpc => Headers.GetValueOrDefault("content-type")?[0].StartsWith("application/grpc", StringComparison.Ordinal) == true;

    private void RefuseMedia()
    {
        (_isStarted, _isEnded) = (true, true);
        // :status with the name of entry 8 and a value of its own.
        _output.Post(Http2FrameType.Headers, Http2Frames.EndHeaders | Http2Frames.EndStream, _stream, [0x08, 3, .. "415"u8]);
        if (!_isInputOver) _output.Post(Http2FrameType.Reset, _stream, (int)Http2Error.None);
    }

    // A literal without indexing and with a new name (RFC 7541 6.2.2).
    private static void Add(List<byte> block, string name, string value)
    {
        block.Add(0);
        AddText(block, name);
        AddText(block, value.Length > 4096 ? value[..4096] : value);
    }

    private static void AddText(List<byte> block, string text)
    {
        if (text.Length < 127) block.Add((byte)text.Length);
        else
        {
            block.Add(127);
            int left = text.Length - 127;
            for (; left > 127; left >>= 7) block.Add((byte)((left & 127) | 128));
            block.Add((byte)left);
        }
        block.AddRange(Encoding.ASCII.GetBytes(text));
    }

    // ---- what the connection does

    internal async Task RunAsync(Func<GrpcCall, Task> serve)
    {
        try
        {
            if (IsGrpc) await serve(this);
            else RefuseMedia();
        }
        catch (OperationCanceledException) when (Aborted.IsCancellationRequested)
        {
            // The other side is gone.
        }
        catch (Exception)
        {
            // What fails here is a fault of ours, told where it arose; the client is told that it was.
            End(new(GrpcStatus.Internal, "internal error"));
        }
        if (!_isEnded && !Aborted.IsCancellationRequested) _output.Post(Http2FrameType.Reset, _stream, (int)Http2Error.Internal);
        _connection.Forget(_stream);
        _arrived.Writer.TryComplete();
        while (_arrived.Reader.TryRead(out BorrowedMessage unread)) unread.Dispose();
    }

    /// <summary>It is in the middle of a long message, for which it has no room yet.</summary>
    internal bool NeedsRoom => _messages.NeedsRoom && !Aborted.IsCancellationRequested;

    /// <summary>Waits for room for that message.</summary>
    internal ValueTask EnterAsync(CancellationToken cancel) => _messages.EnterAsync(MessageRoom.OfProcess, cancel);

    /// <summary>Bytes of the client. False when nobody wants them.</summary>
    internal bool Receive(ReadOnlySpan<byte> bytes, int received, bool isOver)
    {
        if (_isInputOver || _isEnded || _fault is not null) return false;
        int whole = 0;
        while (!bytes.IsEmpty)
        {
            GrpcFrameResult result = _messages.Read(ref bytes, out BorrowedMessage message);
            if (result == GrpcFrameResult.NeedMore) break;
            if (result != GrpcFrameResult.Message) return Fail(result);
            whole += message.Length;
            // A call that was cut meanwhile takes none.
            if (!_arrived.Writer.TryWrite(message)) message.Dispose();
        }
        Arrived(whole, received);
        if (!isOver) return true;
        _isInputOver = true;
        if (!_messages.IsAtBoundary) _fault = new(GrpcStatus.Internal, "the stream ended inside a message");
        _messages.Drop();
        _arrived.Writer.TryComplete();
        return true;
    }

    private bool Fail(GrpcFrameResult result)
    {
        _fault = result == GrpcFrameResult.Compressed
            ? new(GrpcStatus.Unimplemented, "compressed messages are not accepted: send grpc-encoding identity")
            : new(GrpcStatus.ResourceExhausted, $"a message is longer than the limit of {MessageBytesMax}");
        _arrived.Writer.TryComplete();
        return false;
    }

    // Who reads slowly holds back the windows of this call and of the connection, not the connection itself.
    private void Arrived(int whole, int received)
    {
        if (Interlocked.Add(ref _unread, whole) > UnreadBytesMax) Interlocked.Add(ref _held, received);
        else GiveBack(received);
    }

    private void Taken(int bytes)
    {
        if (Interlocked.Add(ref _unread, -bytes) <= UnreadBytesMax && Interlocked.Exchange(ref _held, 0) is > 0 and var later)
            GiveBack(later);
    }

    private void GiveBack(int bytes)
    {
        _connection.GiveBack(bytes);
        if (Interlocked.Add(ref _owed, bytes) < GiveBackBytes) return;
        int now = Interlocked.Exchange(ref _owed, 0);
        if (now > 0 && !_isInputOver) _output.Post(Http2FrameType.WindowUpdate, _stream, now);
    }

    /// <summary>There may be room in the windows.</summary>
    internal void Wake()
    {
        lock (_room)
        {
            if (_room.CurrentCount == 0) _room.Release();
        }
    }

    /// <summary>The other side gave the call up, or is gone.</summary>
    internal void Cut()
    {
        _aborted.Cancel();
        _arrived.Writer.TryComplete();
        _messages.GiveUpRoom();
        Wake();
        _connection.Forget(_stream);
    }
}
