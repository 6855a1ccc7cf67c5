using System.Globalization;
using System.Text.Json;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Tcp;
using Lateen.Proxy.Telemetry;

namespace Lateen.Proxy.Server;

/// <summary>One step of an explanation.</summary>
/// <param name="Station">Where.</param>
/// <param name="Verdict">What was decided.</param>
/// <param name="Origin">The resource that asked for it; empty where none did.</param>
public sealed record ExplainedStation(string Station, string Verdict, string Origin = "");

/// <summary>
/// The admin pages /explain, /why and /decisions. Explaining runs the serving code without sockets: the same hand-over, chain table, route
/// table and host sets that requests meet. What happened is read from the decision ring.
/// </summary>
public sealed class DecisionPages(ProxyServer server, DecisionRing ring)
{
    /// <summary>GET /why?id=REQUEST_ID.</summary>
    public AdminAnswer Why(AdminRequest request)
    {
        if (!request.Query.TryGetValue("id", out string? id) || id.Length == 0)
            return AdminAnswer.Text("say which request: /why?id=X-REQUEST-ID\n", 400);
        byte[] bytes = System.Text.Encoding.Latin1.GetBytes(id);
        IReadOnlyList<string> found = ring.Read(d => d.HasId(bytes), d => Json(Stations(d), Outcome(d)));
        return found.Count > 0 ? AdminAnswer.Json(found[0])
            : AdminAnswer.Text($"no request {id} is remembered here: the last few hundred of each worker are\n", 404);
    }

    /// <summary>GET /decisions?id=&amp;status=&amp;route=&amp;peer=&amp;limit=: the last ones, newest first.</summary>
    public AdminAnswer Decisions(AdminRequest request)
    {
        byte[]? id = request.Query.TryGetValue("id", out string? text) ? System.Text.Encoding.Latin1.GetBytes(text) : null;
        int limit = int.TryParse(request.Query.GetValueOrDefault("limit"), NumberStyles.None, CultureInfo.InvariantCulture, out int asked)
            ? asked : 100;
        bool Wanted(Decision d) =>
            (id is null || d.HasId(id))
            && (!request.Query.TryGetValue("status", out string? status)
                || d.Status.ToString(CultureInfo.InvariantCulture).StartsWith(status.TrimEnd('x'), StringComparison.Ordinal))
            && (!request.Query.TryGetValue("route", out string? route) || d.Route?.Name == route)
            && (!request.Query.TryGetValue("peer", out string? peer) || d.Peer.Contains(peer, StringComparison.Ordinal));
        return AdminAnswer.Json($"[{string.Join(",\n", ring.Read(Wanted, d => Json(Stations(d), Outcome(d))).Take(limit))}]");
    }

    private static List<ExplainedStation> Stations(Decision d)
    {
        var stations = new List<ExplainedStation>
        {
            new("Capture", $"listener {d.Listener}"),
            new("Sniff", $"filter chain {(d.Chain.Length > 0 ? d.Chain : "(default)")}", d.ChainOrigin),
            new("Secure", d.Peer.Length > 0 ? $"peer {d.Peer}" : "no peer certificate"),
            new("Decode", $"{d.Method} {d.Authority}{d.Path} request id {d.Id}"),
            DecisionWords.Of(d),
        };
        stations.Add(d.Route is null
            ? new ExplainedStation("Route", d.Host is null ? "no virtual host" : $"virtual host {d.Host.Name}, no route")
            : new ExplainedStation("Route", $"virtual host {d.Host?.Name}, route {NameOf(d.Route)} ({d.Route.Path})", d.Route.Origin));
        if (d.Cluster is not null)
            stations.Add(new ExplainedStation("Balance",
                $"cluster {d.Cluster.Name}, endpoint {(d.Endpoint is null ? "none" : d.Endpoint.Address.ToString())}",
                OriginOf(d.Cluster)));
        if (d.Attempts > 0)
            stations.Add(new ExplainedStation("Relay",
                string.Create(CultureInfo.InvariantCulture,
                    $"{d.Attempts} attempt(s), {d.Micros / 1000.0:0.0} "
                    + $"ms{(d.TransportFailure.Length > 0 ? $", {d.TransportFailure}" : "")}")));
        return stations;
    }

    private static string Outcome(Decision d)
    {
        var flags = new ByteBuffer();
        string text = ResponseFlagNames.Write(d.Flags, flags) ? System.Text.Encoding.ASCII.GetString(flags.Written) : "-";
        return string.Create(CultureInfo.InvariantCulture, $"{d.Status} {text} {d.Details}");
    }

    /// <summary>GET /explain?method=&amp;url=&amp;header=name: value (again and again)&amp;address=IP: what would serve this
    /// request.</summary>
    public AdminAnswer Explain(AdminRequest request)
    {
        string url = request.Query.GetValueOrDefault("url") ?? "";
        if (!Uri.TryCreate(url.Contains("://", StringComparison.Ordinal) ? url : "http://" + url, UriKind.Absolute, out Uri? uri))
            return AdminAnswer.Text($"\"{url}\" is no URL\n", 400);
        var head = new HeaderMap();
        head.Add(KnownHeader.Method, System.Text.Encoding.Latin1.GetBytes(request.Query.GetValueOrDefault("method") ?? "GET"));
        head.Add(KnownHeader.Scheme, System.Text.Encoding.Latin1.GetBytes(uri.Scheme));
        head.Add(KnownHeader.Authority, System.Text.Encoding.Latin1.GetBytes(uri.IsDefaultPort ? uri.Host : $"{uri.Host}:{uri.Port}"));
        head.Add(KnownHeader.Path, System.Text.Encoding.Latin1.GetBytes(uri.PathAndQuery));
        head.Add(KnownHeader.XForwardedProto, System.Text.Encoding.Latin1.GetBytes(uri.Scheme));
        foreach (string line in request.Headers)
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0)
                head.Set(System.Text.Encoding.Latin1.GetBytes(line[..colon].Trim().ToLowerInvariant()),
                    System.Text.Encoding.Latin1.GetBytes(line[(colon + 1)..].Trim()));
        }
        Address.TryParse(request.Query.GetValueOrDefault("address") ?? uri.Host, uri.Port, out Address meant);
        var stations = new List<ExplainedStation>();
        string outcome = Walk(head, FactsOf(uri, meant.Kind == AddressKind.None ? Address.V4(0, uri.Port) : meant), stations);
        return AdminAnswer.Json(Json(stations, outcome));
    }

    // tcp: is a protocol that nobody here knows; https: and tls: show a server name, and nothing of what is inside.
    private static ConnectionFacts FactsOf(Uri uri, Address meant)
    {
        var facts = new ConnectionFacts
        {
            Local = meant,
            DirectLocal = meant,
            Remote = Address.V4(0x7f000001, 1),
            DirectRemote = Address.V4(0x7f000001, 1),
        };
        if (uri.Scheme is "https" or "tls")
            (facts.TransportProtocol, facts.ServerName) = ("tls", uri.Host);
        if (uri.Scheme is not ("tcp" or "tls"))
            facts.ApplicationProtocols = uri.Scheme == "https" ? ["h2", "http/1.1"] : ["http/1.1"];
        return facts;
    }

    private string Walk(HeaderMap head, ConnectionFacts facts, List<ExplainedStation> stations)
    {
        Listener? listener = Find(facts.Local);
        if (listener is null)
        {
            stations.Add(new ExplainedStation("Capture", $"no listener for {facts.Local}"));
            return "the connection goes to no listener";
        }
        stations.Add(new ExplainedStation("Capture", $"listener {listener.Name}"));
        ListenerChain? chain = listener.Chains.Find(facts);
        if (chain is null)
        {
            stations.Add(new ExplainedStation("Sniff", "no filter chain"));
            return "the connection is closed";
        }
        stations.Add(new ExplainedStation("Sniff",
            $"filter chain {(chain.Name.Length > 0 ? chain.Name : "(default)")}{(chain.Security is null ? "" : ", TLS")}", chain.Origin));
        if (chain.Handler.Last is not HttpChainHandler http)
            return Opaque(chain, stations);
        stations.Add(new ExplainedStation("Filter", string.Join(", ", http.Options.Filters.Filters.Select(f => f.Name))));
        return Route(head, http.Options, stations);
    }

    private static string Opaque(ListenerChain chain, List<ExplainedStation> stations)
    {
        stations.Add(new ExplainedStation("Filter", "opaque TCP"));
        if (chain.Handler is not TcpChainHandler { Upstreams: not null } tcp)
            return "answered by a network filter";
        long all = tcp.Options.Targets.Sum(target => (long)target.Weight);
        foreach (TcpTarget target in tcp.Options.Targets)
            Endpoints(target.Cluster, tcp.Options.Targets.Count > 1 ? $" (weight {target.Weight} of {all})" : "", stations);
        return $"relayed as opaque bytes to {string.Join(", ", tcp.Options.Targets.Select(target => target.Cluster.Name))}";
    }

    private string Route(HeaderMap head, HttpOptions options, List<ExplainedStation> stations)
    {
        if (options.Routes.Current is not { } table)
        {
            stations.Add(new ExplainedStation("Route", $"route configuration {options.Routes.Name} has not come"));
            return "404 NR route_configuration_not_found";
        }
        RouteDecision decision = table.Find(head, new RouteFacts(server.Main.Chance.NextULong()));
        if (decision.Route is not { } route)
        {
            stations.Add(new ExplainedStation("Route",
                decision.Host is null ? $"no virtual host of {table.Name} matches"
                    : $"virtual host {decision.Host.Name}: {(decision.Outcome == RouteOutcome.TlsRedirect ? "TLS is required" : "no route matches")}"));
            return decision.Outcome == RouteOutcome.TlsRedirect ? "301 to https" : "404 NR route_not_found";
        }
        stations.Add(new ExplainedStation("Route",
            $"route configuration {table.Name}, virtual host {decision.Host!.Name}, route {NameOf(route)} "
            + $"({route.Path}{string.Concat(route.Headers.Select(h => $", {h}"))})", route.Origin));
        switch (route.Action)
        {
            case DirectResponseAction direct:
                return string.Create(CultureInfo.InvariantCulture, $"{direct.Status} direct_response");
            case RedirectAction redirect:
                return string.Create(CultureInfo.InvariantCulture, $"{redirect.Status} redirect");
            case ForwardAction forward:
                return Balance(forward, decision, stations);
            default:
                return "404";
        }
    }

    private static string Balance(ForwardAction forward, in RouteDecision decision, List<ExplainedStation> stations)
    {
        string share = decision.Target is { } target
            ? string.Create(CultureInfo.InvariantCulture, $" (weight {target.Weight} of {forward.TotalWeight})") : "";
        if (decision.Cluster is not { } handle)
        {
            stations.Add(new ExplainedStation("Balance", "no cluster is named"));
            return $"{forward.ClusterNotFoundStatus} NC cluster_not_found";
        }
        if (handle.Current is not { } view)
        {
            stations.Add(new ExplainedStation("Balance", $"cluster {handle.Name}{share} is unknown", OriginOf(handle)));
            return $"{forward.ClusterNotFoundStatus} NC cluster_not_found";
        }
        Endpoints(handle, share, stations);
        return view.Hosts.All.Length > 0 || view.Cluster.Type == ClusterType.OriginalDestination
            ? $"forwarded to {handle.Name}" : "503 UH no_healthy_upstream";
    }

    private static void Endpoints(ClusterHandle handle, string share, List<ExplainedStation> stations)
    {
        if (handle.Current is not { } view)
        {
            stations.Add(new ExplainedStation("Balance", $"cluster {handle.Name}{share} is unknown", OriginOf(handle)));
            return;
        }
        Host[] hosts = [.. view.Hosts.All.Take(10)];
        string named = string.Join(", ", hosts.Select(h => $"{h.Address}{(h.Health == HostHealth.Healthy ? "" : $" ({h.Health})")}"));
        stations.Add(new ExplainedStation("Balance",
            $"cluster {handle.Name}{share}, {view.Cluster.Balancer.Kind}, endpoints: {(named.Length > 0 ? named : "none")}",
            OriginOf(handle)));
        if (hosts.Length > 0)
            stations.Add(new ExplainedStation("Connect", Security(view.Cluster, hosts)));
    }

    // Who decided: the cluster's own settings (a DestinationRule), or what each endpoint is said to take (its sidecar, and its
    // PeerAuthentication).
    private static string Security(Cluster cluster, Host[] hosts)
    {
        string why = cluster.SecurityMatches.Count > 0 ? "by what the endpoint takes" : cluster.Security is not null
            ? "as the cluster says" : "nothing asks for TLS";
        ILookup<string, Host> kinds = hosts.ToLookup(host => host.Security?.Words ?? "plain text");
        return kinds.Count == 1 ? $"{kinds.First().Key} ({why})"
            : $"{string.Join("; ", kinds.Select(kind => $"{kind.Key}: {string.Join(", ", kind.Select(host => host.Address))}"))} ({why})";
    }

    // As ListenerSet.ForDestination: the address itself, its port on any address, else the listener that takes all.
    private Listener? Find(Address meant)
    {
        Address any = Address.V4(0, meant.Port);
        IEnumerable<Listener> all = server.Listeners.All.Values;
        return all.FirstOrDefault(l => l.Address == meant) ?? all.FirstOrDefault(l => l.Address == any)
            ?? all.FirstOrDefault(l => l.HandsOver && !l.IsInbound);
    }

    private static string NameOf(Route route) => route.Name.Length > 0 ? route.Name : "(unnamed)";

    private static string OriginOf(ClusterHandle handle) => handle.Current?.Cluster.Metadata.Text("istio", "config") ?? "";

    private static string Json(List<ExplainedStation> stations, string outcome)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("stations");
            foreach (ExplainedStation station in stations)
            {
                writer.WriteStartObject();
                writer.WriteString("station", station.Station);
                writer.WriteString("decision", station.Verdict);
                writer.WriteString("origin", station.Origin);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteString("outcome", outcome);
            writer.WriteEndObject();
        }
        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }
}
