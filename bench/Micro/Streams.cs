using BenchmarkDotNet.Attributes;

namespace Lateen.Bench.Micro;

/// <summary>Stations 5 to 11 together: a request through the whole proxy, HTTP/2 on both sides, while so many others are on their way. What
/// grows with their number is not work but misses of the cache.</summary>
[MemoryDiagnoser]
public class Streams
{
    private const int Requests = 1024;

    private StreamsLab _lab = null!;

    /// <summary>Requests on their way.</summary>
    [Params(1, 32, 256)]
    public int InFlight { get; set; }

    /// <summary>Connections past their settings, tables learnt.</summary>
    [GlobalSetup]
    public void Prepare() => _lab = new StreamsLab(InFlight);

    /// <summary>One request and its answer.</summary>
    [Benchmark(OperationsPerInvoke = Requests)]
    public void Request()
    {
        for (int left = Requests; left > 0;)
            left -= _lab.Turn();
    }
}
