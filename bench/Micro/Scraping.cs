using BenchmarkDotNet.Attributes;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Statistics;

namespace Lateen.Bench.Micro;

/// <summary>All statistics of a big proxy as Prometheus reads them; bound: 50 ms of processor time for 100,000 series.</summary>
[MemoryDiagnoser]
public class Scraping
{
    private const int ClusterCount = 2000, Members = 50, Workers = 4;

    private readonly StatStore _store = new(Workers);
    private readonly ByteBuffer _text = new(1 << 20);
    private readonly StatQuery _all = new();
    private PrometheusText _page = null!;

    /// <summary>Clusters with fifty counters each, all used, on each worker.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        StatSchema schema = StatSchema.Counters([.. Enumerable.Range(0, Members).Select(static m => $"upstream_counter_{m}")]);
        for (int i = 0; i < ClusterCount; i++)
        {
            StatGroup group = _store.Group($"cluster.outbound|9080||service-{i}.default.svc.cluster.local.", schema);
            for (int worker = 0; worker < Workers; worker++)
            {
                for (int m = 0; m < Members; m++)
                    group.Of(worker).Add(m, i + m);
            }
        }
        _page = new PrometheusText(_store);
        _page.Write(_all, _text);
    }

    /// <summary>A scrape behind the first, which makes names and labels.</summary>
    [Benchmark]
    public int Scrape()
    {
        _text.Clear();
        _page.Write(_all, _text);
        return _text.Length;
    }
}
