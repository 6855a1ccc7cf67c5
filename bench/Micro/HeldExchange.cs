using System.Text;
using Lateen.Proxy;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Test.Rigs.Codecs;

namespace Lateen.Bench.Micro;

/// <summary>A request that a filter holds for good: what filters and recorders see of it can be asked again and again.</summary>
internal sealed class HeldExchange
{
    /// <summary>A GET of a path, on a worker of its own.</summary>
    public HeldExchange(string path)
    {
        var transport = new StillTransport();
        var holder = new Holder();
        var routes = new RouteSource("bench",
            new RouteTable("bench",
                [new VirtualHost
                {
                    Name = "all",
                    Domains = ["*"],
                    Routes = [new Route
                    {
                        Name = "r",
                        Path = new PathMatch(PathMatchKind.Prefix, "/"),
                        Action = new DirectResponseAction(200, []),
                    }],
                }]));
        var options = new HttpOptions { Filters = new FilterChain([holder]), Routes = routes, Recorders = [] };
        var address = Address.V4(0x0a000001, 80);
        var connection = new HttpConnection(new ExchangePool(new Worker(0, transport.Loop), options),
            new ConnectionContext { Remote = address, DirectRemote = address, Local = address, DirectLocal = address });
        connection.Attach(new Http1ServerConnection(transport, connection, options.Codec));
        ((TransportHandler)transport.Handler).OnData(transport, Encoding.ASCII.GetBytes(
            $"GET {path} HTTP/1.1\r\nHost: reviews.default.svc.cluster.local:9080\r\nUser-Agent: curl/8.5.0\r\nAccept: "
            + $"*/*\r\nX-Request-Id: 4b2f1e0a-77aa-4c5e-9a10-1f2e3d4c5b6a\r\n\r\n"));
        Exchange = holder.Held ?? throw new InvalidOperationException("the request did not come to the filter");
    }

    /// <summary>The exchange.</summary>
    public Exchange Exchange { get; }

    private sealed class Holder() : HttpFilter("holder")
    {
        public Exchange? Held { get; private set; }

        public override FilterPhases Phases => FilterPhases.RequestHead;

        public override bool IsTerminal => true;

        public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
        {
            Held = slot.Exchange;
            return FilterVerdict.Stop;
        }
    }
}
