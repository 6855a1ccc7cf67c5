using BenchmarkDotNet.Attributes;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Statistics;

namespace Lateen.Bench.Micro;

/// <summary>All statistics of a big proxy as Prometheus reads them; bound: 50 ms of processor time for 100,000 series.</summary>
[MemoryDiagnoser]
public class Scraping
{
    private const int ClusterCount = 2000, Members = 50, Workers = 4;

    private StatStore _store = null!;
    private readonly ByteBuffer _text = new(1 << 20);
    private readonly StatQuery _all = new();
    private PrometheusText _page = null!;

    /// <summary>Clusters with fifty counters each, all used, on each worker.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        _store = Store();
        _page = new PrometheusText(_store);
        _page.Write(_all, _text);
    }

    private static StatStore Store()
    {
        var store = new StatStore(Workers);
        StatSchema schema = StatSchema.Counters([.. Enumerable.Range(0, Members).Select(static m => $"upstream_counter_{m}")]);
        for (int i = 0; i < ClusterCount; i++)
        {
            StatGroup group = store.Group($"cluster.outbound|9080||service-{i}.default.svc.cluster.local.", schema);
            for (int worker = 0; worker < Workers; worker++)
            {
                for (int m = 0; m < Members; m++)
                    group.Of(worker).Add(m, i + m);
            }
        }
        return store;
    }

    /// <summary>The first scrape: names, tags and their order, and the page.</summary>
    [Benchmark]
    public int FirstScrape()
    {
        _text.Clear();
        new PrometheusText(Store()).Write(_all, _text);
        return _text.Length;
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
