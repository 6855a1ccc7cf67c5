using Lateen.Proxy.Clusters;

namespace Lateen.Proxy.Tcp.Redis;

/// <summary>Keys of a prefix and the cluster that has them.</summary>
/// <param name="Prefix">The prefix; empty for all keys.</param>
/// <param name="RemovePrefix">It is cut off the key.</param>
/// <param name="Cluster">Where they are.</param>
public sealed record RedisRoute(byte[] Prefix, bool RemovePrefix, ClusterHandle Cluster);

/// <summary>A Redis proxy's running configuration.</summary>
public sealed record RedisOptions
{
    /// <summary>Routes, longest prefix first.</summary>
    public required IReadOnlyList<RedisRoute> Routes { get; init; }

    /// <summary>Prefixes match whatever their case.</summary>
    public bool IgnoreCase { get; init; }

    /// <summary>Of a key with {…} only that part decides the host.</summary>
    public bool HashTags { get; init; }

    /// <summary>Limit of an answer, in microseconds.</summary>
    public long TimeoutMicros { get; init; }

    /// <summary>Passwords of which a client must give one; none asks for nothing.</summary>
    public IReadOnlyList<byte[]> Passwords { get; init; } = [];

    /// <summary>The user name that belongs to them; empty for none.</summary>
    public byte[] User { get; init; } = [];
}
