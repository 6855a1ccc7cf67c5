// Watching: network filters that read along (mongo_proxy, mysql_proxy, zookeeper_proxy) and count what they see under Envoy's names. Bytes
// pass them unchanged and at once. A watch belongs to one connection; what it has not yet understood it keeps, up to a bound. Who speaks
// something else than promised is no longer watched, which is counted: a watch never ends or delays a connection by what it reads (a delay
// that was configured is another matter). Names of series that peers choose are made within the store's budget.
// Refused: decoding whole documents into objects (they are checked and passed over), rewriting bytes.
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Tcp.Watching;

/// <summary>Reads both directions of a connection, message by message.</summary>
public abstract class ProtocolWatch : NetworkFilter
{
    /// <summary>The message is not yet whole.</summary>
    protected const int More = 0;

    /// <summary>These bytes are no message.</summary>
    protected const int Broken = -1;

    private readonly ByteBuffer _client = new(0), _server = new(0);
    private bool _given;

    /// <summary>What is kept of a message at most.</summary>
    protected virtual int MessageMax => 1 << 20;

    /// <summary>Takes the first message of some bytes: its length, <see cref="More"/> or <see cref="Broken"/>.</summary>
    protected abstract int Take(TcpSession session, ReadOnlySpan<byte> bytes, bool fromClient);

    /// <summary>Bytes were no message, or too long a one; true where watching goes on with what comes next.</summary>
    protected abstract bool OnBroken(TcpSession session);

    /// <summary>Before bytes of one side are read.</summary>
    protected virtual void OnBytes(TcpSession session)
    {
    }

    /// <inheritdoc/>
    public override NetworkVerdict OnData(TcpSession session, ref ReadOnlySpan<byte> bytes)
    {
        Read(session, bytes, _client, fromClient: true);
        return NetworkVerdict.Continue;
    }

    /// <inheritdoc/>
    public override void OnUpstreamData(TcpSession session, ReadOnlySpan<byte> bytes) => Read(session, bytes, _server, fromClient: false);

    private void Read(TcpSession session, ReadOnlySpan<byte> bytes, ByteBuffer kept, bool fromClient)
    {
        if (_given || bytes.IsEmpty)
            return;
        OnBytes(session);
        ReadOnlySpan<byte> all = bytes;
        if (kept.Length > 0)
        {
            kept.Append(bytes);
            all = kept.Written;
        }
        int at = 0, taken = 1;
        while (at < all.Length && (taken = Take(session, all[at..], fromClient)) > 0)
            at += taken;
        if (taken == Broken || all.Length - at > MessageMax)
        {
            _given = !OnBroken(session);
            at = all.Length;
        }
        Keep(kept, all[at..]);
    }

    // The rest may lie in the buffer itself.
    private static void Keep(ByteBuffer kept, ReadOnlySpan<byte> rest)
    {
        int length = rest.Length;
        if (kept.Length > 0)
        {
            rest.CopyTo(kept.At(0, kept.Length));
            kept.Truncate(length);
        }
        else
        {
            kept.Append(rest);
        }
    }
}
