using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Clusters;

/// <summary>What an active check does.</summary>
public enum HealthCheckKind : byte
{
    Http,
    Grpc,
    Tcp,
}

/// <summary>One active health check.</summary>
public sealed record HealthCheckOptions
{
    /// <summary>Which.</summary>
    public HealthCheckKind Kind { get; init; }

    /// <summary>Limit of one check, in microseconds.</summary>
    public required long TimeoutMicros { get; init; }

    /// <summary>Between checks, in microseconds.</summary>
    public required long IntervalMicros { get; init; }

    /// <summary>First wait at random up to this, in microseconds.</summary>
    public long InitialJitterMicros { get; init; }

    /// <summary>Added at random to each wait, in microseconds.</summary>
    public long IntervalJitterMicros { get; init; }

    /// <summary>Added at random, percent of the interval.</summary>
    public uint IntervalJitterPercent { get; init; }

    /// <summary>Failures that make a host unhealthy.</summary>
    public uint UnhealthyThreshold { get; init; } = 1;

    /// <summary>Successes that make it healthy again; at the start one suffices.</summary>
    public uint HealthyThreshold { get; init; } = 1;

    /// <summary>While a cluster has had no traffic, in microseconds.</summary>
    public long NoTrafficIntervalMicros { get; init; } = 60_000_000;

    /// <summary>The same while a host is healthy; 0 takes <see cref="NoTrafficIntervalMicros"/>.</summary>
    public long NoTrafficHealthyIntervalMicros { get; init; }

    /// <summary>While unhealthy; 0 takes <see cref="IntervalMicros"/>.</summary>
    public long UnhealthyIntervalMicros { get; init; }

    /// <summary>Right after a first failure; 0 takes the unhealthy one.</summary>
    public long UnhealthyEdgeIntervalMicros { get; init; }

    /// <summary>Right after a first success; 0 takes <see cref="IntervalMicros"/>.</summary>
    public long HealthyEdgeIntervalMicros { get; init; }

    /// <summary>One connection for many checks.</summary>
    public bool ReuseConnection { get; init; } = true;

    /// <summary>Another port than the endpoint's; 0 for the same.</summary>
    public int AltPort { get; init; }

    /// <summary>HTTP: host header; empty takes the endpoint's or cluster's name.</summary>
    public string Host { get; init; } = "";

    /// <summary>HTTP: path.</summary>
    public string Path { get; init; } = "/";

    /// <summary>HTTP: method.</summary>
    public string Method { get; init; } = "GET";

    /// <summary>HTTP: spoken as HTTP/2.</summary>
    public bool Http2 { get; init; }

    /// <summary>HTTP: lines added.</summary>
    public IReadOnlyList<(string Name, string Value)> HeadersToAdd { get; init; } = [];

    /// <summary>HTTP: headers taken away.</summary>
    public IReadOnlyList<string> HeadersToRemove { get; init; } = [];

    /// <summary>HTTP: healthy statuses, as ranges with an exclusive end; empty is 200.</summary>
    public IReadOnlyList<(int From, int To)> ExpectedStatuses { get; init; } = [];

    /// <summary>HTTP: statuses that count to the threshold rather than fail at once.</summary>
    public IReadOnlyList<(int From, int To)> RetriableStatuses { get; init; } = [];

    /// <summary>HTTP: what the answer's <c>x-envoy-upstream-healthchecked-cluster</c> must be; null for no check.</summary>
    public StringMatch? ServiceName { get; init; }

    /// <summary>HTTP: exact body texts of which one must be there; TCP: blocks that must come in order.</summary>
    public IReadOnlyList<byte[]> Receive { get; init; } = [];

    /// <summary>HTTP: how much of the answer's body is looked at.</summary>
    public int BodyBytesMax { get; init; } = 1024;

    /// <summary>TCP: what is sent; empty checks the connect alone. HTTP: the request's body.</summary>
    public byte[] Send { get; init; } = [];

    /// <summary>gRPC: the service asked about.</summary>
    public string GrpcService { get; init; } = "";

    /// <summary>gRPC: authority; empty takes the cluster's name.</summary>
    public string GrpcAuthority { get; init; } = "";

    /// <summary>The events' log; false keeps to failures' edges.</summary>
    public bool AlwaysLogFailures { get; init; }

    /// <summary>TLS names offered by checks in place of the cluster's.</summary>
    public IReadOnlyList<string> Alpn { get; init; } = [];

    /// <summary>The protocol of HTTP checks.</summary>
    public HttpVersion Version => Http2 || Kind == HealthCheckKind.Grpc ? HttpVersion.Http2 : HttpVersion.Http11;
}
