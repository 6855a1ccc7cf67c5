using System.Text;
using BenchmarkDotNet.Attributes;
using Lateen.Proxy.Clusters.Balancing;
using Lateen.Proxy.Formats;

namespace Lateen.Bench.Micro;

/// <summary>Station 8: the hash of a cookie, with which a ring is asked.</summary>
[MemoryDiagnoser]
public class Balancing
{
    private readonly byte[] _cookie = Encoding.ASCII.GetBytes("session=abcdef0123456789abcdef0123456789");

    /// <summary>As Envoy hashes a policy's value.</summary>
    [Benchmark]
    public ulong XxHash() => Hashing.XxHash64(_cookie);

    /// <summary>As the standard library of Envoy's platform hashes, for rings that ask for it.</summary>
    [Benchmark]
    public ulong Murmur() => Hashing.Murmur64(_cookie);
}

/// <summary>Station 11: what parsing a log's format costs when configuration is published.</summary>
[MemoryDiagnoser]
public class Formats
{
    /// <summary>Istio's default format.</summary>
    [Benchmark]
    public TextFormat Parse() =>
    TextFormat.Parse("[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
        + "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% \"%UPSTREAM_HOST%\" %ROUTE_NAME%\n");
}
