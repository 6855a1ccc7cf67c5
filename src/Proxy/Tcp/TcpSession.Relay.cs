using Lateen.Proxy.Formats;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tcp;

// Chapter of TcpSession: bytes on their way between the two sides, through the filters, and the ends of the sides.
public sealed partial class TcpSession
{
    private void OnDownData(ReadOnlySpan<byte> bytes)
    {
        if (_over)
            return;
        Facts.BytesReceived += bytes.Length;
        _place.Counters.Received += bytes.Length;
        _lastByteAt = Loop.Now;
        if (_waiting || !_dataPhase || _unseen.Length > 0)
            Hold(bytes);
        else
            Filter(bytes, 0);
    }

    private void Hold(ReadOnlySpan<byte> bytes)
    {
        // Each reading counts what lies in the buffer again (observed of Envoy's logs).
        if (_waiting)
            Facts.BytesReceived += _unseen.Length;
        _unseen.Append(bytes, Loop.Chunks);
        if (_unseen.Length >= _down.HighWatermark)
            _down.Reading = false;
    }

    /// <summary>Bytes of the client go through the filters from one of them on, and then to the upstream.</summary>
    private void Filter(ReadOnlySpan<byte> bytes, int from)
    {
        for (_filter = from; _filter < _filters.Length; _filter++)
        {
            if (_filters[_filter] is not { } filter)
                continue;
            NetworkVerdict verdict = filter.OnData(this, ref bytes);
            if (verdict == NetworkVerdict.Wait)
                _unseen.Append(bytes, Loop.Chunks);
            if (Stops(verdict))
                return;
        }
        _filter = 0;
        Facts.BytesPassed += bytes.Length;
        if (_connected)
        {
            SendUpstream(bytes);
            return;
        }
        _ready.Append(bytes, Loop.Chunks);
        if (_chain.Upstreams is null)
            PassOn();
        else if (!_connecting)
            ConnectUpstream();
    }

    /// <summary>What waited for a filter, or came before the connection was ours, goes its way.</summary>
    private unsafe void TakeUnseen()
    {
        Facts.BytesReceived += _uncounted;
        _place.Counters.Received += _uncounted;
        _uncounted = 0;
        OutputQueue queue = _unseen;
        _unseen = default;
        int from = _filter;
        while (queue.Head is { Length: > 0 } chunk)
        {
            int count = chunk.Length;
            var bytes = new ReadOnlySpan<byte>(chunk.Filled, count);
            if (_waiting)
                _unseen.Append(bytes, Loop.Chunks);
            else if (!_over)
                Filter(bytes, from);
            queue.Consume(count, Loop.Chunks);
        }
        if (!_waiting)
            _filter = 0;
        if (_downEnded && !_waiting && !_connecting && !_connected && !_over)
            End(abort: false);
        else
            PassDownEnd();
    }

    private unsafe void SendReady()
    {
        while (_ready.Head is { Length: > 0 } chunk)
        {
            int count = chunk.Length;
            SendUpstream(new ReadOnlySpan<byte>(chunk.Filled, count));
            _ready.Consume(count, Loop.Chunks);
        }
        PassDownEnd();
    }

    private void PassDownEnd()
    {
        if (_downEnded && _connected && !_over && _unseen.Length == 0 && _ready.Length == 0)
            _up!.EndSend();
    }

    /// <summary>To the upstream, past all filters: for a filter that speaks to it, too.</summary>
    public void SendUpstream(ReadOnlySpan<byte> bytes)
    {
        if (!_connected || _upClosed)
            return;
        Facts.UpstreamSent += bytes.Length;
        _link.CountBytes(0, bytes.Length);
        _up!.Send(bytes);
        if (!_up.IsAboveWatermark || !_down.Reading)
            return;
        _down.Reading = false;
        _place.Counters.Paused++;
    }

    private void OnUpData(ReadOnlySpan<byte> bytes)
    {
        if (_link.Prologue is not null)
            TakePrologue(ref bytes);
        Facts.UpstreamReceived += bytes.Length;
        _link.CountBytes(bytes.Length, 0);
        _lastByteAt = Loop.Now;
        if (_over)
            return;
        foreach (NetworkFilter? filter in _filters)
            filter?.OnUpstreamData(this, bytes);
        SendDownstream(bytes);
        if (_down.IsAboveWatermark)
            _up!.Reading = false;
    }

    private void TakePrologue(ref ReadOnlySpan<byte> bytes)
    {
        _link.Prologue!.Take(ref bytes);
        if (_link.Prologue.IsReading)
            return;
        if (_link.Prologue.Peer is { } peer)
            Facts.SetFilterState(PeerExchangeFilter.UpstreamKey, peer);
        _link.Prologue = null;
    }

    private void OnDownWritable()
    {
        if (_connected && !_upClosed)
            _up!.Reading = true;
    }

    private void OnUpWritable()
    {
        if (_over || _waiting || _down.Reading)
            return;
        _down.Reading = true;
        _place.Counters.Resumed++;
    }

    private void OnDownEnd()
    {
        _downEnded = true;
        if (_waiting && !_over)
        {
            Facts.BytesReceived += _unseen.Length;
            return;
        }
        // Filters that judge with the first bytes judge now, if there never were any.
        if (Facts.BytesReceived == 0 && _dataPhase && !_waiting && !_connecting && !_over)
            Filter(default, 0);
        if (_chain.Upstreams is null || (!_connecting && !_connected))
            End(abort: false);
        else
            PassDownEnd();
    }

    private void OnUpEnd()
    {
        if (!_over)
            _down.EndSend();
    }

    /// <summary>Something else takes the connection over, all filters being content. They hear of its end.</summary>
    private void PassOn()
    {
        if (_chain.Next is not { } next || _over)
            return;
        var early = new byte[_ready.Length + _unseen.Length];
        Copy(ref _ready, early);
        Copy(ref _unseen, early.AsSpan(early.Length - _unseen.Length));
        _over = _away = true;
        Loop.Disarm(_clock);
        Connection.FilterState = Facts.State;
        Connection.Over += OnAwayOver;
        _down.Reading = true;
        next.Serve(Connection, early);
    }

    private unsafe void Copy(ref OutputQueue queue, Span<byte> to)
    {
        while (queue.Head is { Length: > 0 } chunk)
        {
            var bytes = new ReadOnlySpan<byte>(chunk.Filled, chunk.Length);
            bytes.CopyTo(to);
            to = to[bytes.Length..];
            queue.Consume(bytes.Length, Loop.Chunks);
        }
    }

    private void OnAwayOver()
    {
        foreach (NetworkFilter? filter in _filters)
            filter?.OnEnd(this);
        Leave();
    }

    // Ending

    private void OnDownClosed(CloseReason reason)
    {
        if (_away)
            return;
        if (_down is Tls.TlsTransport { FailureReason.Length: > 0 } tls)
            Facts.DownstreamTransportFailure = tls.FailureReason;
        if (reason == CloseReason.Reset)
            Facts.DownstreamCloseType = "RemoteReset";
        _over = true;
        EndedByPeer = _downEnded || reason != CloseReason.Local;
        Loop.Disarm(_clock);
        _unseen.Clear(Loop.Chunks);
        _ready.Clear(Loop.Chunks);
        CloseUpstream(reason == CloseReason.Reset);
        Record();
    }

    private void CloseUpstream(bool reset)
    {
        if (_up is not { } transport || _upClosed)
            return;
        if (_connecting)
        {
            // Given up before it was there: its end is no failure of the host's.
            _up = null;
            _connecting = false;
            _link.Release(remote: false);
            reset = true;
        }
        transport.Close(abort: reset);
    }

    private void OnUpClosed(CloseReason reason)
    {
        _upClosed = true;
        _link.Release(remote: reason != CloseReason.Local);
        if (_over)
            return;
        if (reason == CloseReason.Reset)
        {
            Facts.Flags |= ResponseFlags.UpstreamRemoteReset;
            Facts.UpstreamCloseType = "RemoteReset";
            Facts.DownstreamCloseType = "LocalReset";
        }
        End(abort: reason == CloseReason.Reset);
    }
}
