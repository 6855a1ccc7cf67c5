using System.Buffers.Binary;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.Two;

// Chapter of Http2Session: the small frames of the connection and of streams (SETTINGS, PRIORITY, RST_STREAM, GOAWAY, WINDOW_UPDATE, PING),
// each with its guard, and PINGs of ours.
internal abstract partial class Http2Session
{
    private const int SettingsPerFrameMax = 32;

    private readonly KeepAlive _keepAlive;
    private long _lastReceivedAt;
    private ulong _pingNumber;
    private int _settingsUnanswered;
    private long _priorityFrames, _windowUpdates;
    private bool _settingsSeen, _pingUnanswered;

    private void TakePriority(in FrameHead head)
    {
        if (head.Length != 5)
            Fail(ErrorCode.FrameSizeError, "codec_error");
        else if (head.Stream == 0)
            Close("codec_error");
        else if (++_priorityFrames > Options.Two.PriorityFramesMax * (1 + _streamsOpened))
            Flood(CodecEvent.InboundPriorityFramesFlood, "http2.inbound_priority_frames_flood");
    }

    private void TakeReset(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (payload.Length != 4)
        {
            Fail(ErrorCode.FrameSizeError, "codec_error");
            return;
        }
        if (head.Stream == 0 || IsIdle(head.Stream))
        {
            Close("codec_error");
            return;
        }
        if (Find(head.Stream) is not { } stream)
            return;
        OnEvent(CodecEvent.RxReset);
        OnReset(stream, (ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload));
    }

    private void TakeSettings(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (head.Stream != 0 || (head.Has(FrameHead.Ack) && _settingsUnanswered == 0))
        {
            Close("codec_error");
            return;
        }
        if (payload.Length % 6 != 0 || (head.Has(FrameHead.Ack) && payload.Length > 0))
        {
            Fail(ErrorCode.FrameSizeError, "codec_error");
            return;
        }
        if (payload.Length / 6 > SettingsPerFrameMax)
        {
            Fail(ErrorCode.EnhanceYourCalm, "codec_error");
            return;
        }
        _settingsSeen = true;
        if (head.Has(FrameHead.Ack))
        {
            _settingsUnanswered--;
            return;
        }
        for (; !payload.IsEmpty; payload = payload[6..])
        {
            var setting = (Setting)BinaryPrimitives.ReadUInt16BigEndian(payload);
            if (Apply(setting, BinaryPrimitives.ReadUInt32BigEndian(payload[2..])))
                continue;
            Close("codec_error");
            return;
        }
        SendControl(FrameType.Settings, FrameHead.Ack, 0, default);
        SendOverflowResets();
        OpenConnectionWindow();
        OnPeerSettings();
        Pump();
    }

    private bool Apply(Setting setting, uint value)
    {
        switch (setting)
        {
            case Setting.HeaderTableSize:
                Encoder.SetPeerMax(value);
                return true;
            case Setting.EnablePush:
                return value == 0 || (value == 1 && IsServer);
            case Setting.ConcurrentStreamsMax:
                PeerStreamsMax = value;
                return true;
            case Setting.InitialWindow:
                return value <= WindowMax && SetInitialWindow((int)value);
            case Setting.FrameSizeMax:
                return value is >= FrameSizeMax and <= 0xffffff;
            case Setting.EnableConnect:
                return value <= 1;
            default:
                return true;
        }
    }

    private void TakePing(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (payload.Length != 8)
            Fail(ErrorCode.FrameSizeError, "codec_error");
        else if (head.Stream != 0)
            Close("codec_error");
        else if (head.Has(FrameHead.Ack))
            OnPong(BinaryPrimitives.ReadUInt64BigEndian(payload));
        else
            SendControl(FrameType.Ping, FrameHead.Ack, 0, payload);
    }

    private void TakeGoAway(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (payload.Length < 8)
            Fail(ErrorCode.FrameSizeError, "codec_error");
        else if (head.Stream != 0)
            Close("codec_error");
        else
            OnGoAway(BinaryPrimitives.ReadUInt32BigEndian(payload) & WindowMax,
                (ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload[4..]));
    }

    private void TakeWindowUpdate(in FrameHead head, ReadOnlySpan<byte> payload)
    {
        if (payload.Length != 4)
        {
            Fail(ErrorCode.FrameSizeError, "codec_error");
            return;
        }
        if (++_windowUpdates > 5 + (2 * (_streamsOpened + (Options.Two.WindowUpdatesPerDataFrame * _dataFramesSent))))
        {
            Flood(CodecEvent.InboundWindowUpdateFramesFlood, "http2.inbound_window_update_frames_flood");
            return;
        }
        int increment = (int)(BinaryPrimitives.ReadUInt32BigEndian(payload) & WindowMax);
        bool sound = increment > 0
            && (head.Stream == 0 ? WidenConnection(increment) : !IsIdle(head.Stream) && WidenStream(head.Stream, increment));
        if (!sound)
            Close("codec_error");
    }

    // ---- PING ----

    private void ArmKeepAlive()
    {
        long interval = Options.Two.KeepAliveMicros;
        if (interval <= 0)
            return;
        uint jitter = (uint)Math.Min(uint.MaxValue, interval * Options.Two.KeepAliveJitterPercent / 100);
        Transport.Loop.Arm(_keepAlive, interval + (jitter > 0 ? Transport.Loop.Chance.Below(jitter) : 0));
    }

    /// <summary>A PING before a request on a connection that was silent for long; its answer must come within the time limit.</summary>
    protected void PingIfSilent()
    {
        if (Options.Two.IdlePingMicros > 0 && !_pingUnanswered && Transport.Loop.Now - _lastReceivedAt > Options.Two.IdlePingMicros)
            SendPing();
    }

    private void SendPing()
    {
        Span<byte> payload = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(payload, ++_pingNumber);
        SendFrame(FrameType.Ping, 0, 0, payload);
        _pingUnanswered = true;
        if (Options.Two.KeepAliveTimeoutMicros > 0)
            Transport.Loop.Arm(_keepAlive, Options.Two.KeepAliveTimeoutMicros);
    }

    private void OnPong(ulong number)
    {
        if (!_pingUnanswered || number != _pingNumber)
            return;
        _pingUnanswered = false;
        Transport.Loop.Disarm(_keepAlive);
        ArmKeepAlive();
    }

    private void OnKeepAlive()
    {
        if (Ended)
            return;
        if (!_pingUnanswered)
        {
            SendPing();
            return;
        }
        OnEvent(CodecEvent.KeepAliveTimeout);
        Close("http2.ping_timeout", FailureKind.ConnectionTerminated);
    }

    private sealed class KeepAlive(Http2Session session) : Deadline
    {
        protected internal override void OnDue(long now) => session.OnKeepAlive();
    }
}
