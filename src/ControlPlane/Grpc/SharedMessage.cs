using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Grpc;

/// <summary>
/// A long response that many are sent alike. Its resources lie in frames already (<see cref="SharedFrames"/>) and leave from there, many
/// frames in one turn; what is the stream's own, before and behind them, is copied. Where the peer's windows end inside of a frame, the
/// rest of that frame is copied, too, and the next one leaves as it lies again.
/// </summary>
internal sealed class SharedMessage : OutgoingMessage
{
    // While a peer that reads slowly is given a turn, its connection has nothing else to say.
    private const int TurnMax = 16 * Http2Frames.PayloadMax;
    private readonly byte[] _head;
    private readonly SharedFrames _body;
    private readonly AdsResponse _response;
    private int _at;

    private SharedMessage(AdsResponse response, SharedFrames body)
    {
        (_response, _body) = (response, body);
        _head = Head(response.Size, First(response));
        Left = _head.Length + body.Length + Last(response).Length;
    }

    /// <summary>A response as others are sent it, too; null where it is not worth it.</summary>
    public static SharedMessage? TryOf(AdsResponse response, int stream, TimeProvider time)
    {
        if (stream != SharedFrames.Stream || !response.IsShared || !response.IsIncremental) return null;
        int length = response.Size - First(response).Length - Last(response).Length;
        return length >= SharedFrames.LengthMin && SharedFrames.Enter(response, length, time) is { } body
            ? new SharedMessage(response, body) : null;
    }

    /// <inheritdoc/>
    public override int Turn
    {
        get
        {
            int at = Math.Max(0, _at - _head.Length), whole = _body.WholeAt(at);
            if (whole == 0) return Math.Min(Left, CopiedMax);
            if (SharedFrames.IsBegin(at)) return Math.Min(whole, TurnMax);
            int next = Http2Frames.PayloadMax - (at % Http2Frames.PayloadMax) + Math.Max(0, _head.Length - _at);
            // A few bytes are not worth a turn of their own.
            return next < CopiedMax - Http2Frames.PayloadMax ? Math.Min(Left, next + Http2Frames.PayloadMax) : next;
        }
    }

    /// <inheritdoc/>
    public override FramesInFile TakeFrames(int bytes)
    {
        int at = _at - _head.Length;
        if (!SharedFrames.IsBegin(at)) return default;
        int taken = Math.Min(_body.WholeAt(at), bytes) / Http2Frames.PayloadMax * Http2Frames.PayloadMax;
        Advance(taken);
        return new FramesInFile(_body.File, SharedFrames.OffsetOf(at), SharedFrames.Framed(taken), taken);
    }

    /// <inheritdoc/>
    public override void Take(Span<byte> to)
    {
        while (!to.IsEmpty)
        {
            int at = _at - _head.Length, now;
            if (at >= 0 && at < _body.Length) now = _body.Read(at, to);
            else
            {
                ReadOnlySpan<byte> own = at < 0 ? _head.AsSpan(_at) : Last(_response)[(at - _body.Length)..];
                now = Math.Min(own.Length, to.Length);
                own[..now].CopyTo(to);
            }
            to = to[now..];
            Advance(now);
        }
    }

    /// <inheritdoc/>
    public override void Dispose() => _body.Leave();

    private static ReadOnlySpan<byte> First(AdsResponse response) => response.Part(0, 0);

    private static ReadOnlySpan<byte> Last(AdsResponse response) => response.Part(response.PieceCount - 1, 0);

    private void Advance(int bytes)
    {
        _at += bytes;
        Left -= bytes;
    }
}
