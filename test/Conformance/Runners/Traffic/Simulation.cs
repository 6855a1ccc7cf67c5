using System.Text.RegularExpressions;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Envoy.Extensions.Filters.Network.TcpProxy.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;

namespace Lateen.Test.Conformance.Runners.Traffic;

/// <summary>A connection and, for HTTP, a request on it.</summary>
internal sealed record SimulatedCall
{
    public string Address { get; init; } = "1.3.3.7";

    public int Port { get; init; }

    public string Path { get; init; } = "/";

    public string Protocol { get; init; } = "";

    public string Tls { get; init; } = "plaintext";

    public string Alpn { get; init; } = "";

    public string Host { get; init; } = "";

    public string Sni { get; init; } = "";

    public bool IsInbound { get; init; }

    public string SecretName { get; init; } = "default";

    public bool IsPlaintext => Tls == "plaintext";
}

/// <summary>What a call met.</summary>
internal sealed record Outcome(
    string Error = "", string Listener = "", string Chain = "", string Routes = "", string Host = "", string Route = "", string Cluster = "");

/// <summary>Follows a call through a configuration as Envoy would.</summary>
internal sealed class Simulation(IReadOnlyList<Listener> listeners, Func<string, RouteConfiguration> routes)
{
    public Outcome Run(SimulatedCall call)
    {
        if (ListenerFor(call) is not { } listener) return new Outcome("ErrNoListener");
        var outcome = new Outcome(Listener: listener.Name);
        var seesTls = HasFilter(listener, "envoy.filters.listener.tls_inspector", call.Port);
        if (!seesTls) call = call with { Alpn = "" };
        if (HasFilter(listener, "envoy.filters.listener.http_inspector", call.Port) && call.IsPlaintext)
        {
            call = call with { Alpn = call.Protocol switch { "http" => "http/1.1", "http2" => "h2c", _ => call.Alpn } };
        }
        var (chain, error) = ChainFor(listener, call, seesTls);
        if (chain is null) return outcome with { Error = error };
        outcome = outcome with { Chain = chain.Name };
        if (chain.TransportSocket is not null && call.IsPlaintext) return outcome with { Error = "ErrTLSError" };
        if (chain.TransportSocket is not null && RequiresMtls(chain, call.SecretName) != (call.Tls == "mtls")) return outcome with { Error = "ErrMTLSError" };
        var last = chain.Filters[^1].TypedConfig;
        if (last.TryUnpack<TcpProxy>(out var tcp)) return outcome with { Cluster = tcp.Cluster };
        if (!last.TryUnpack<HttpConnectionManager>(out var manager)) return outcome with { Error = "no terminal filter" };
        if (!call.IsPlaintext && chain.TransportSocket is null) return outcome with { Error = "ErrProtocolError" };
        if (call.Protocol is not ("http" or "http2")) return outcome with { Error = "ErrProtocolError" };
        return Http(call, outcome, manager.RouteConfig ?? routes(manager.Rds.RouteConfigName));
    }

    private static Outcome Http(SimulatedCall call, Outcome outcome, RouteConfiguration configuration)
    {
        if (HostFor(configuration, call.Host) is not { } host) return outcome with { Error = "ErrNoVirtualHost" };
        outcome = outcome with { Routes = configuration.Name, Host = host.Name };
        if (host.RequireTls == VirtualHost.Types.TlsRequirementType.All && call.IsPlaintext) return outcome with { Error = "ErrTLSRedirect" };
        if (host.Routes.FirstOrDefault(route => Matches(route.Match, call)) is not { } found) return outcome with { Error = "ErrNoRoute" };
        // The recording calls a request that is refused for want of a known host by the cluster that stands for nowhere.
        return outcome with { Route = found.Name, Cluster = found.Route_?.Cluster ?? (host.Name == "block_all" ? "BlackHoleCluster" : "") };
    }

    // ---- listeners and chains

    private Listener? ListenerFor(SimulatedCall call)
    {
        if (call.IsInbound) return listeners.FirstOrDefault(listener => listener.Name == "virtualInbound");
        return listeners.FirstOrDefault(listener => IsAt(listener, call.Address, call.Port))
            ?? listeners.FirstOrDefault(listener => IsAt(listener, "0.0.0.0", call.Port))
            ?? listeners.FirstOrDefault(listener => listener.Name == "virtualOutbound");
    }

    private static bool IsAt(Listener listener, string address, int port) =>
        listener.Address.SocketAddress is { } own && own.PortValue == port && own.Address == address && own.Protocol == Envoy.Config.Core.V3.SocketAddress.Types.Protocol.Tcp;

    private static bool HasFilter(Listener listener, string name, int port) =>
        listener.ListenerFilters.FirstOrDefault(filter => filter.Name == name) is { } found && !IsDisabled(found.FilterDisabled, port);

    private static bool IsDisabled(ListenerFilterChainMatchPredicate? predicate, int port) => predicate?.RuleCase switch
    {
        ListenerFilterChainMatchPredicate.RuleOneofCase.DestinationPortRange => port >= predicate.DestinationPortRange.Start && port < predicate.DestinationPortRange.End,
        ListenerFilterChainMatchPredicate.RuleOneofCase.OrMatch => predicate.OrMatch.Rules.Any(rule => IsDisabled(rule, port)),
        ListenerFilterChainMatchPredicate.RuleOneofCase.NotMatch => !IsDisabled(predicate.NotMatch, port),
        _ => false,
    };

    // Envoy narrows step by step: what matches a condition takes all from those that have none, and never goes back.
    private static (FilterChain? Chain, string Error) ChainFor(Listener listener, SimulatedCall call, bool seesTls)
    {
        var left = listener.FilterChains.ToList();
        left = Narrow(left, match => match.DestinationPort is null, match => match.DestinationPort == call.Port);
        var longest = left.SelectMany(chain => chain.FilterChainMatch?.PrefixRanges ?? []).Where(range => Contains(range, call.Address)).Select(range => range.PrefixLen ?? 0).DefaultIfEmpty().Max();
        left = Narrow(left, match => match.PrefixRanges.Count == 0, match => match.PrefixRanges.Any(range => range.PrefixLen == longest && Contains(range, call.Address)));
        left = Names(left, call.Sni);
        var transport = !seesTls || call.IsPlaintext ? "raw_buffer" : "tls";
        left = Narrow(left, match => match.TransportProtocol.Length == 0, match => match.TransportProtocol == transport);
        left = Narrow(left, match => match.ApplicationProtocols.Count == 0, match => match.ApplicationProtocols.Contains(call.Alpn));
        if (left.Count > 1) return (null, "ErrMultipleFilterChain");
        if (left.Count == 1) return (left[0], "");
        return listener.DefaultFilterChain is { } rest ? (rest, "") : (null, "ErrNoFilterChain");
    }

    private static List<FilterChain> Narrow(List<FilterChain> chains, Func<FilterChainMatch, bool> isOpen, Func<FilterChainMatch, bool> matches)
    {
        var exact = chains.Where(chain => chain.FilterChainMatch is { } match && !isOpen(match) && matches(match)).ToList();
        return exact.Count > 0 ? exact : chains.Where(chain => isOpen(chain.FilterChainMatch ?? new FilterChainMatch())).ToList();
    }

    private static List<FilterChain> Names(List<FilterChain> chains, string sni)
    {
        var candidates = new List<string> { sni };
        for (var at = sni.IndexOf('.', StringComparison.Ordinal); at >= 0; at = sni.IndexOf('.', at + 1)) candidates.Add("*" + sni[at..]);
        foreach (var candidate in candidates.Where(name => name.Length > 0))
        {
            var found = chains.Where(chain => chain.FilterChainMatch?.ServerNames.Contains(candidate) == true).ToList();
            if (found.Count > 0) return found;
        }
        return chains.Where(chain => (chain.FilterChainMatch?.ServerNames.Count ?? 0) == 0).ToList();
    }

    private static bool Contains(Envoy.Config.Core.V3.CidrRange range, string address) =>
        System.Net.IPAddress.TryParse(address, out var parsed) && System.Net.IPNetwork.TryParse($"{range.AddressPrefix}/{range.PrefixLen}", out var network) && network.Contains(parsed);

    private static bool RequiresMtls(FilterChain chain, string secretName)
    {
        if (!chain.TransportSocket.TypedConfig.TryUnpack<DownstreamTlsContext>(out var context)) return false;
        return context.RequireClientCertificate == true && context.CommonTlsContext.TlsCertificateSdsSecretConfigs is [var secret, ..] && secret.Name == secretName;
    }

    // ---- routes

    private static VirtualHost? HostFor(RouteConfiguration configuration, string host)
    {
        if (configuration.IgnorePortInHostMatching && host.LastIndexOf(':') is var colon and >= 0) host = host[..colon];
        host = host.ToLowerInvariant();
        return configuration.VirtualHosts
            .SelectMany(virtualHost => virtualHost.Domains.Select(domain => (Rank: Rank(domain.ToLowerInvariant(), host), VirtualHost: virtualHost)))
            .Where(entry => entry.Rank > 0).OrderByDescending(entry => entry.Rank).Select(entry => entry.VirtualHost).FirstOrDefault();
    }

    // Exact, then the longest suffix, then the longest prefix, then any.
    private static int Rank(string domain, string host)
    {
        const int Exact = 100_000, Suffix = 10_000, Prefix = 1_000;
        if (domain == host) return Exact;
        if (domain == "*") return 1;
        if (domain[0] == '*' && host.EndsWith(domain[1..], StringComparison.Ordinal)) return Suffix + domain.Length;
        return domain[^1] == '*' && host.StartsWith(domain[..^1], StringComparison.Ordinal) ? Prefix + domain.Length : 0;
    }

    private static bool Matches(RouteMatch match, SimulatedCall call) => match.PathSpecifierCase switch
    {
        RouteMatch.PathSpecifierOneofCase.Prefix => call.Path.StartsWith(match.Prefix, StringComparison.Ordinal),
        RouteMatch.PathSpecifierOneofCase.Path => call.Path == match.Path,
        RouteMatch.PathSpecifierOneofCase.SafeRegex => Regex.IsMatch(call.Path, $"^(?:{match.SafeRegex.Regex})$"),
        RouteMatch.PathSpecifierOneofCase.PathSeparatedPrefix => call.Path == match.PathSeparatedPrefix || call.Path.StartsWith(match.PathSeparatedPrefix + "/", StringComparison.Ordinal),
        _ => true,
    };
}
