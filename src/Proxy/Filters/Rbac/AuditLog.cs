using System.Text;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Telemetry;

namespace Lateen.Proxy.Filters.Rbac;

/// <summary>Which decisions are written down.</summary>
public enum AuditCondition : byte
{
    None,
    OnDeny,
    OnAllow,
    OnDenyAndAllow,
}

/// <summary>Decisions of policies as lines of JSON, in the form of gRPC's stdout logger (gRFC A59), which is the only one that is
/// specified.</summary>
/// <param name="condition">Which.</param>
/// <param name="policy">The filter, as lines name it.</param>
/// <param name="sink">Where lines go.</param>
/// <param name="workers">Number of workers.</param>
public sealed class AuditLog(AuditCondition condition, string policy, LogSink sink, int workers)
{
    private readonly ByteBuffer?[] _lines = new ByteBuffer?[workers];
    private readonly byte[] _policy = Encoding.UTF8.GetBytes(policy);

    /// <summary>Policies decided about a stream.</summary>
    public void Decided(Worker worker, IStreamFacts facts, RbacPolicy? matched, bool allowed)
    {
        if (condition is AuditCondition.None
            || (condition != AuditCondition.OnDenyAndAllow && (condition == AuditCondition.OnAllow) != allowed))
            return;
        ByteBuffer line = _lines[worker.Index] ??= new ByteBuffer(256);
        line.Clear();
        line.Append("{\"grpc_audit_log\":{\"timestamp\":\""u8);
        line.Append(DateTime.UnixEpoch.AddMicroseconds(worker.Loop.WallClock), "yyyy-MM-ddTHH:mm:ss.ffffffZ");
        line.Append("\",\"rpc_method\":"u8);
        JsonFormat.Quote(facts.RequestHead is { } head ? Routing.Text.WithoutQuery(head[KnownHeader.Path]) : default, line);
        line.Append(",\"principal\":"u8);
        Text(PrincipalOf(facts.DownstreamTls), line);
        line.Append(",\"policy_name\":"u8);
        JsonFormat.Quote(_policy, line);
        line.Append(",\"matched_rule\":"u8);
        Text(matched?.Name ?? "", line);
        line.Append(allowed ? ",\"authorized\":true}}\n"u8 : ",\"authorized\":false}}\n"u8);
        sink.Write(worker, line.Written);
    }

    // The certificate's first name, as RBAC compares them.
    private static string PrincipalOf(TlsFacts? tls) =>
        tls is null ? "" : tls.PeerUris.Count > 0 ? tls.PeerUris[0] : tls.PeerDnsNames.Count > 0 ? tls.PeerDnsNames[0] : tls.PeerSubject;

    private static void Text(string text, ByteBuffer to)
    {
        Span<byte> bytes = text.Length <= 512 ? stackalloc byte[text.Length * 3] : new byte[text.Length * 3];
        JsonFormat.Quote(bytes[..Encoding.UTF8.GetBytes(text, bytes)], to);
    }
}
