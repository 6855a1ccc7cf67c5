using System.Buffers.Binary;

namespace Lateen.Proxy.Tcp;

/// <summary>
/// Istio's TCP metadata exchange: where both ends agreed on the protocol by ALPN, each writes once, before anything else, who it is. A
/// proxy that agrees and does not take the other's prologue away corrupts the stream. Magic 0x3d230467, length of the payload (both 32
/// bits, network order), payload.
/// </summary>
/// <param name="protocol">The ALPN word: istio-peer-exchange.</param>
/// <param name="payload">Ourselves, as the payload of our prologue.</param>
public abstract class PeerExchange(string protocol, byte[] payload)
{
    /// <summary>The ALPN word that Istio configures.</summary>
    public const string Word = "istio-peer-exchange";

    /// <summary>The head's bytes.</summary>
    public const int HeadLength = 8;

    private const uint Magic = 0x3d230467;

    /// <summary>The ALPN word.</summary>
    public string Protocol => protocol;

    /// <summary>Ourselves, as it goes over the wire.</summary>
    public byte[] Prologue { get; } = Write(payload);

    /// <summary>Who a payload tells of; null where it is none.</summary>
    public abstract object? Read(ReadOnlySpan<byte> payload);

    private static byte[] Write(byte[] payload)
    {
        var bytes = new byte[HeadLength + payload.Length];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), (uint)payload.Length);
        payload.CopyTo(bytes, HeadLength);
        return bytes;
    }

    /// <summary>The length of the payload that a head announces; -1 where it is no head of ours.</summary>
    public static long LengthOf(ReadOnlySpan<byte> head) =>
        BinaryPrimitives.ReadUInt32BigEndian(head) == Magic ? BinaryPrimitives.ReadUInt32BigEndian(head[4..]) : -1;
}

/// <summary>Takes a prologue off the beginning of a direction, over as many pieces as it comes in.</summary>
internal sealed class PrologueReader(PeerExchange exchange)
{
    // Labels of a workload take some kilobytes; what announces more is somebody else's.
    private const int PayloadMax = 256 * 1024;

    private byte[] _held = [];

    /// <summary>True while the prologue is not complete.</summary>
    public bool IsReading { get; private set; } = true;

    /// <summary>Who the peer says to be; null where it says nothing.</summary>
    public object? Peer { get; private set; }

    /// <summary>Leaves in <paramref name="bytes"/> what is behind the prologue; all that came where there is none.</summary>
    public void Take(ref ReadOnlySpan<byte> bytes)
    {
        if (!IsReading)
            return;
        if (_held.Length > 0)
            bytes = _held = [.. _held, .. bytes];
        long length = bytes.Length < PeerExchange.HeadLength ? 0 : PeerExchange.LengthOf(bytes);
        if (length is < 0 or > PayloadMax)
        {
            IsReading = false;
            return;
        }
        int whole = PeerExchange.HeadLength + (int)length;
        if (bytes.Length < whole)
        {
            _held = bytes.ToArray();
            bytes = default;
            return;
        }
        IsReading = false;
        Peer = exchange.Read(bytes[PeerExchange.HeadLength..whole]);
        bytes = bytes[whole..];
    }
}

/// <summary>The accepting side of the exchange.</summary>
public sealed class PeerExchangeFilter(PeerExchange exchange) : NetworkFilterFactory
{
    /// <summary>Filter state that holds the client's identity.</summary>
    public const string DownstreamKey = "downstream_peer";

    /// <summary>Filter state that holds the upstream's identity.</summary>
    public const string UpstreamKey = "upstream_peer";

    /// <inheritdoc/>
    public override NetworkFilter? Create(TcpSession session) =>
        session.Connection.Alpn == exchange.Protocol ? new Exchanging(exchange) : null;

    private sealed class Exchanging(PeerExchange exchange) : NetworkFilter
    {
        private readonly PrologueReader _reader = new(exchange);

        public override NetworkVerdict OnConnection(TcpSession session)
        {
            session.SendDownstream(exchange.Prologue);
            return NetworkVerdict.Continue;
        }

        public override NetworkVerdict OnData(TcpSession session, ref ReadOnlySpan<byte> bytes)
        {
            if (!_reader.IsReading)
                return NetworkVerdict.Continue;
            _reader.Take(ref bytes);
            if (_reader.Peer is { } peer)
                session.Facts.SetFilterState(DownstreamKey, peer);
            return NetworkVerdict.Continue;
        }
    }
}
