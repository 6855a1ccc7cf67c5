using System.Text;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Http;
using Lateen.Proxy.Upstream.Calls;

namespace Lateen.Proxy.Remote;

/// <summary>A gRPC method of a cluster: the one place where the heads of our own calls are made. Encoded once, when configuration is
/// published.</summary>
/// <param name="Side">Where and how long.</param>
/// <param name="Authority">The :authority.</param>
/// <param name="Path">/package.Service/Method.</param>
/// <param name="Metadata">Further headers, names in lower case.</param>
public sealed record GrpcMethod(SideTarget Side, string Authority, string Path, IReadOnlyList<KeyValuePair<string, string>> Metadata)
{
    /// <summary>The :authority.</summary>
    public string Authority { get; } = Authority;

    /// <summary>/package.Service/Method.</summary>
    public string Path { get; } = Path;

    /// <summary>Further headers, names in lower case; others are given by <see cref="WithMetadata"/>.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Metadata { get; } = Metadata;

    // Copies of a record keep its fields, so that what is encoded here may not be changed by one.
    private readonly byte[] _authority = Encoding.UTF8.GetBytes(Authority), _path = Encoding.UTF8.GetBytes(Path);
    private readonly (byte[] Name, byte[] Value)[] _metadata =
        [.. Metadata.Select(static m => (Encoding.Latin1.GetBytes(m.Key), Encoding.UTF8.GetBytes(m.Value)))];

    /// <summary>The same with other headers.</summary>
    public GrpcMethod WithMetadata(IReadOnlyList<KeyValuePair<string, string>> metadata) => new(Side, Authority, Path, metadata);

    /// <summary>Writes a call's head.</summary>
    public void WriteHead(HeaderMap head)
    {
        head.Add(KnownHeader.Method, "POST"u8);
        head.Add(KnownHeader.Path, _path);
        head.Add(KnownHeader.Authority, _authority);
        head.Add(KnownHeader.Te, "trailers"u8);
        head.Add(KnownHeader.ContentType, "application/grpc"u8);
        foreach ((byte[] name, byte[] value) in _metadata)
            head.Add(name, value);
    }

    /// <summary>Writes the head of a stream, which no router completes: the scheme, and who asks.</summary>
    public void WriteStreamHead(HeaderMap head)
    {
        WriteHead(head);
        head.Add(KnownHeader.Scheme, Side.Cluster.Current?.Cluster.Security is null ? "http"u8 : "https"u8);
        head.Set(KnownHeader.XEnvoyInternal, "true"u8);
        if (!Side.OwnAddress.IsIp)
            return;
        Span<byte> ip = stackalloc byte[46];
        head.Set(KnownHeader.XForwardedFor, ip[..IpText.Write(Side.OwnAddress, ip)]);
    }
}
