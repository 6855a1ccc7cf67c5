namespace Lateen.Proxy.Formats;

/// <summary>Operators about times.</summary>
internal static partial class Operators
{
    private static Func<IStreamFacts, ByteBuffer, bool>? Times(OperatorText op) => op.Name switch
    {
        "START_TIME" => Time(op, static f => f.StartedAt, local: false),
        "START_TIME_LOCAL" => Time(op, static f => f.StartedAt, local: true),
        "EMIT_TIME" => Time(op, static f => f.StartedAt + ((f.Times.End != 0 ? f.Times.End : f.Now) - f.Times.RequestBegin), local: false),
        "EMIT_TIME_LOCAL" => Time(op, static f => f.StartedAt + ((f.Times.End != 0 ? f.Times.End : f.Now) - f.Times.RequestBegin),
            local: true),
        "DOWNSTREAM_PEER_CERT_V_START" => OfCertificate(op, static t => t.DownstreamTls?.PeerValidFrom ?? 0),
        "DOWNSTREAM_PEER_CERT_V_END" => OfCertificate(op, static t => t.DownstreamTls?.PeerValidTo ?? 0),
        "UPSTREAM_PEER_CERT_V_START" => OfCertificate(op, static t => t.UpstreamTls?.PeerValidFrom ?? 0),
        "UPSTREAM_PEER_CERT_V_END" => OfCertificate(op, static t => t.UpstreamTls?.PeerValidTo ?? 0),
        _ => null,
    };

    private static Func<IStreamFacts, ByteBuffer, bool> Time(OperatorText op, Func<IStreamFacts, long> at, bool local)
    {
        TimeFormat format = TimeFormat.Parse(op.Argument);
        return (f, b) =>
        {
            format.Write(b, at(f), local);
            return true;
        };
    }

    private static Func<IStreamFacts, ByteBuffer, bool> OfCertificate(OperatorText op, Func<IStreamFacts, long> seconds)
    {
        TimeFormat format = TimeFormat.Parse(op.Argument);
        return (f, b) =>
        {
            long at = seconds(f);
            if (at != 0)
                format.Write(b, at * 1_000_000, local: false);
            return at != 0;
        };
    }

    private static Func<IStreamFacts, ByteBuffer, bool> CommonDuration(OperatorText op)
    {
        string[] words = Required(op).Split(':');
        if (words.Length is < 2 or > 3)
            throw new FormatException($"operator %COMMON_DURATION({op.Argument})%: write START:END:PRECISION");
        Func<IStreamFacts, long> from = Point(words[0]), until = Point(words[1]);
        long divisor = (words.Length > 2 ? words[2] : "ms") switch
        {
            "ms" => 1000,
            "us" => 1,
            "ns" => -1000,
            string other => throw new FormatException($"operator %COMMON_DURATION%: the precision is ms, us or ns, not {other}"),
        };
        return (f, b) =>
        {
            long a = from(f), z = until(f);
            if (a == 0 || z == 0 || z < a)
                return false;
            b.Append(divisor > 0 ? (z - a) / divisor : (z - a) * -divisor);
            return true;
        };
    }

    private static Func<IStreamFacts, long> Point(string name) => name switch
    {
        "DS_RX_BEG" => static f => f.Times.RequestBegin,
        "DS_RX_END" => static f => f.Times.RequestEnd,
        "US_CX_BEG" => static f => f.Times.UpstreamConnectBegin,
        "US_CX_END" => static f => f.Times.UpstreamConnectEnd,
        "US_HS_END" => static f => f.Times.UpstreamHandshakeEnd,
        "US_TX_BEG" => static f => f.Times.UpstreamSendBegin,
        "US_TX_END" => static f => f.Times.UpstreamSendEnd,
        "US_RX_BEG" => static f => f.Times.UpstreamReceiveBegin,
        "US_RX_BODY_BEG" => static f => f.Times.UpstreamBodyBegin,
        "US_RX_END" => static f => f.Times.UpstreamReceiveEnd,
        "DS_TX_BEG" => static f => f.Times.ResponseBegin,
        "DS_TX_END" => static f => f.Times.ResponseEnd,
        "DS_CX_BEG" => static f => f.Times.DownstreamConnectionBegin,
        "DS_CX_END" => static f => f.Times.DownstreamConnectionEnd,
        _ => throw new FormatException($"operator %COMMON_DURATION%: {name} is no point in time that is known"),
    };
}
