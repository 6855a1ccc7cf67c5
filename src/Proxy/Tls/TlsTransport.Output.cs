using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tls;

// What leaves: gathered, encrypted, ended.
public sealed unsafe partial class TlsTransport
{
    /// <inheritdoc/>
    public override void Send(ReadOnlySpan<byte> bytes)
    {
        if (IsClosed || _ending || bytes.IsEmpty)
            return;
        BytesOut += bytes.Length;
        if (_complete && _plain.Length == 0 && bytes.Length >= TlsScratch.RecordMax)
        {
            Encrypt(bytes);
            return;
        }
        _plain.Append(bytes, Loop.Chunks);
        if (!_complete)
            return;
        if (_plain.Length >= 2 * TlsScratch.RecordMax)
            EncryptGathered();
        else
            Loop.Defer(_gathering);
    }

    /// <inheritdoc/>
    public override void Flush()
    {
        if (IsClosed || !_complete)
            return;
        EncryptGathered();
        _inner.Flush();
    }

    private void EncryptGathered()
    {
        while (_plain.Head is { Length: > 0 } chunk && !IsClosed)
        {
            int count = chunk.Length;
            Encrypt(new ReadOnlySpan<byte>(chunk.Filled, count));
            _plain.Consume(count, Loop.Chunks);
        }
    }

    private void Encrypt(ReadOnlySpan<byte> bytes)
    {
        TlsScratch scratch = TlsScratch.Enter(this);
        OpenSsl.ERR_clear_error();
        fixed (byte* start = bytes)
        {
            for (int done = 0; done < bytes.Length && !IsClosed;)
            {
                int count = Math.Min(bytes.Length - done, TlsScratch.RecordMax);
                if (OpenSsl.SSL_write(_ssl, start + done, count) != count)
                    Fail(TlsFailures.Take(""));
                done += count;
                Forward(scratch);
            }
        }
        scratch.Leave();
    }

    /// <inheritdoc/>
    public override void EndSend()
    {
        if (IsClosed || _ending)
            return;
        _ending = true;
        if (_complete)
            SendEnd();
    }

    private void SendEnd()
    {
        if (_endSent)
            return;
        EncryptGathered();
        _endSent = true;
        Notify();
        _inner.EndSend();
    }

    // close_notify (RFC 8446 6.1): the other end learns that nothing was cut off.
    private void Notify()
    {
        TlsScratch scratch = TlsScratch.Enter(this);
        OpenSsl.SSL_shutdown(_ssl);
        OpenSsl.ERR_clear_error();
        Forward(scratch);
        scratch.Leave();
    }

    /// <inheritdoc/>
    public override void Close(bool abort = false)
    {
        if (_inner.IsClosed)
        {
            // It may have been closing in order: an abort still cuts that short.
            if (abort)
                _inner.Close(abort: true);
            return;
        }
        if (_complete && !abort && !_closing)
        {
            EncryptGathered();
            if (!_endSent)
                Notify();
        }
        _closing = true;
        StopClock();
        _inner.Close(abort);
    }

    private void OnGathered()
    {
        if (IsClosed || !_complete)
            return;
        bool above = _plain.Length > HighWatermark;
        EncryptGathered();
        if (_ending)
            SendEnd();
        if (above && !IsAboveWatermark && !IsClosed)
            Handler.OnWritable(this);
    }

    private sealed class Gathering(TlsTransport transport) : Letter
    {
        protected internal override void Deliver() => transport.OnGathered();
    }
}
