using System.Text;
using BenchmarkDotNet.Attributes;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Bench.Micro;

/// <summary>Station 7: a head to a route, in a sidecar's table: hosts of five routes each, the last of which takes the request.</summary>
[MemoryDiagnoser]
public class Matching
{
    private readonly HeaderMap _head = new();
    private RouteTable _table = null!;

    /// <summary>How many services the mesh has.</summary>
    [Params(20, 1000)]
    public int Services { get; set; }

    /// <summary>The table and a request for the service in the middle.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        _table = new RouteTable("9080", [.. Enumerable.Range(0, Services).Select(Host)]);
        _head.Add(KnownHeader.Method, "GET"u8);
        _head.Add(KnownHeader.Path, "/api/v1/reviews/17?page=2"u8);
        _head.Add(KnownHeader.Authority, Encoding.ASCII.GetBytes($"svc{Services / 2}.default.svc.cluster.local:9080"));
        _head.Add("x-request-id"u8, "4b2f1e0a-77aa-4c5e-9a10-1f2e3d4c5b6a"u8);
    }

    /// <summary>Host and route.</summary>
    [Benchmark]
    public RouteOutcome Find() => _table.Find(_head, new RouteFacts(7)).Outcome;

    /// <summary>The host alone.</summary>
    [Benchmark]
    public VirtualHost? FindHost() => _table.FindHost(_head[KnownHeader.Authority]);

    private static VirtualHost Host(int i)
    {
        Route[] routes = [.. Enumerable.Range(1, 4).Select(v => To(new PathMatch(PathMatchKind.SeparatedPrefix, $"/v{v}"))),
            To(new PathMatch(PathMatchKind.Prefix, "/"))];
        string name = $"svc{i}.default.svc.cluster.local";
        return new VirtualHost
        {
            Name = $"{name}:9080",
            Domains = [name, $"{name}:9080", $"svc{i}", $"svc{i}:9080", $"svc{i}.default", $"svc{i}.default:9080"],
            Routes = routes,
        };
    }

    private static Route To(PathMatch path) => new() { Name = "default", Path = path, Action = new DirectResponseAction(200, []) };
}
