using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using TlsMode = Istio.Networking.V1Alpha3.ServerTLSSettings.Types.TLSmode;

namespace Lateen.Pilot.Scope.Gateways;

/// <summary>Merges the servers of all Gateways that select a proxy; where two can't share a port the older one stays.</summary>
internal sealed class GatewayMerger
{
    private const string ServiceAnnotation = "internal.istio.io/gateway-service";
    private const string NoTranslationLabel = "experimental.istio.io/disable-gateway-port-translation";

    private const string SemanticsAnnotation = "internal.istio.io/gateway-semantics";
    private const string AccountAnnotation = "internal.istio.io/service-account-name";

    private readonly HashSet<string> _credentials = [];
    private readonly List<(int Number, string Protocol, string Bind)> _order = [];
    private readonly Dictionary<(int Number, string Protocol, string Bind), List<GatewayServer>> _ports = [];
    private readonly Dictionary<int, (int Number, string Protocol, string Bind)> _plaintext = [];
    private readonly HashSet<int> _taken = [];
    private readonly HashSet<(int Number, string Bind)> _securedBinds = [];
    private readonly Dictionary<string, List<GatewayServer>> _byRoute = [];
    private readonly Dictionary<(int Number, string Host), GatewayServer> _sniOwners = [];
    private readonly List<ServerConflict> _conflicts = [];

    public static MergedGateway? Merge(MeshSnapshot snapshot, Identity? proxy, IReadOnlyDictionary<string, string> labels,
        ImmutableArray<ServiceTarget> targets, string proxyNamespace = "")
    {
        var features = snapshot.Settings.Features;
        var selecting = snapshot.Gateways.All
            .Where(gateway => (!features.ScopesGatewaysToNamespace || gateway.Origin.Namespace == proxyNamespace)
                && TargetsOf(gateway, labels, targets) is not null).ToList();
        var merger = new GatewayMerger();
        foreach (var gateway in features.StrictGatewayMerging ? Strict(selecting) : selecting)
        {
            if (TargetsOf(gateway, labels, targets) is not var (own, isBySelector)) continue;
            if (proxy is not null) merger._credentials.UnionWith(GatewayCredentials.Of(snapshot.Gateways, gateway, proxy));
            foreach (var server in gateway.Spec.Servers)
            {
                if (server.Port is null) continue;
                foreach (var number in PortsOf((int)server.Port.Number, own, isBySelector))
                    merger.Add(gateway, server, number, features.QuicListeners && HasUdp(own, server));
            }
        }
        return merger.Finish();
    }

    /// <summary>Conflicts that a workload sees which all of these select.</summary>
    public static IReadOnlyList<ServerConflict> Conflicts(IReadOnlyList<Meant<Gateway>> selecting)
    {
        var merger = new GatewayMerger();
        foreach (var gateway in selecting)
        {
            foreach (var server in gateway.Spec.Servers.Where(server => server.Port is not null))
                merger.Add(gateway, server, (int)server.Port.Number, hasUdp: false);
        }
        return merger._conflicts;
    }

    /// <summary>Beside Gateways that were generated with their deployment, hand-written ones count in the namespaces of those
    /// alone.</summary>
    internal static List<Meant<Gateway>> Strict(List<Meant<Gateway>> gateways)
    {
        var managed = gateways.Where(
            gateway => IsGenerated(gateway) && gateway.Origin.Annotations.GetValueOrDefault(AccountAnnotation, "").Length > 0)
            .Select(gateway => gateway.Origin.Namespace).ToHashSet();
        return managed.Count == 0
            ? gateways : gateways.FindAll(gateway => IsGenerated(gateway) || managed.Contains(gateway.Origin.Namespace));
    }

    private static bool IsGenerated(Meant<Gateway> gateway) =>
        gateway.Origin.Annotations.GetValueOrDefault(SemanticsAnnotation, "").Length > 0;

    /// <summary>Targets through which a Gateway reaches the proxy; null when it does not select it.</summary>
    private static (ImmutableArray<ServiceTarget> Targets, bool IsBySelector)? TargetsOf(
        Meant<Gateway> gateway, IReadOnlyDictionary<string, string> labels, ImmutableArray<ServiceTarget> targets)
    {
        if (gateway.Origin.Annotations.TryGetValue(ServiceAnnotation, out var services))
        {
            var names = services.Split(',');
            var own = targets.Where(target => names.Contains(target.Service.Hostname)
                && target.Service.Namespace == gateway.Origin.Namespace).ToImmutableArray();
            return own.IsEmpty ? null : (own, false);
        }
        foreach (var (key, value) in gateway.Spec.Selector)
        {
            if (!labels.TryGetValue(key, out var actual) || actual != value) return null;
        }
        return (targets, true);
    }

    // A Gateway's port is the service's; what is listened on is the workload's.
    private static IEnumerable<int> PortsOf(int number, ImmutableArray<ServiceTarget> targets, bool isBySelector)
    {
        var mapped = targets
            .Where(target => target.Port.Number == number && target.Port.Protocol != Protocol.Udp
                && !(isBySelector && target.Service.Labels.ContainsKey(NoTranslationLabel)))
            .Select(target => target.TargetPort).Distinct().ToList();
        if (mapped.Count == 0) return isBySelector ? [number] : [];
        return isBySelector ? [mapped[0]] : mapped.Order();
    }

    private static bool HasUdp(ImmutableArray<ServiceTarget> targets, Server server) =>
        targets.Any(target => target.Port.Number == server.Port.Number && target.Port.Protocol == Protocol.Udp);

    private void Add(Meant<Gateway> gateway, Server server, int number, bool hasUdp)
    {
        var protocol = Protocols.Parse(server.Port.Protocol);
        var hosts = HostsOf(server, gateway.Origin.Namespace);
        var routeName = RouteName(gateway.Origin, server, number, protocol);
        var made = new GatewayServer(gateway, server, hosts, number, routeName, SniOf(server, hosts))
        {
            OffersHttp3 = hasUdp && IsHttp(server, protocol) && IsTls(server, protocol)
                && server.Tls?.Mode is not (TlsMode.Passthrough or TlsMode.AutoPassthrough),
        };
        if (server.Tls is not null && !ClaimSni(made)) return;
        var port = (number, server.Port.Protocol, server.Bind);
        if (_taken.Add(number)) First(made, port, protocol);
        else if (_plaintext.TryGetValue(number, out var current)) AlongPlaintext(made, port, current, protocol);
        else AlongTls(made, port, protocol);
    }

    private void First(GatewayServer made, (int Number, string Protocol, string Bind) port, Protocol protocol)
    {
        if (!IsTls(made.Server, protocol)) _plaintext[made.Number] = port;
        if (IsHttp(made.Server, protocol)) Route(made);
        Put(made, port);
    }

    private void AlongPlaintext(
        GatewayServer made, (int Number, string Protocol, string Bind) port, (int Number, string Protocol, string Bind) current,
        Protocol protocol)
    {
        var present = Protocols.Parse(current.Protocol);
        var canShare = (protocol.IsHttp() || protocol == present) && present.IsHttp();
        var isSameBind = current.Bind == port.Bind;
        if (isSameBind && (!canShare || made.RouteName.Length == 0))
        {
            Refuse(made, _ports[current][0], $"port {made.Number} speaks {current.Protocol}");
            return;
        }
        Put(made, isSameBind ? current : port);
        Route(made);
    }

    private void AlongTls(GatewayServer made, (int Number, string Protocol, string Bind) port, Protocol protocol)
    {
        if (IsHttp(made.Server, protocol))
        {
            // Each terminating server has routes of its own, so that its certificate opens only its own hosts.
            var named = _byRoute.GetValueOrDefault(made.RouteName);
            if (made.RouteName.Length == 0 || named is not null)
            {
                Refuse(made, named?[0] ?? FirstOn(made.Number),
                    $"port {made.Number} has a server of this name, or one with TLS of its own");
                return;
            }
            Route(made);
        }
        var isNewBind = _securedBinds.Add((made.Number, port.Bind));
        if (made.Server.Tls is null && !isNewBind)
        {
            Refuse(made, FirstOn(made.Number), $"port {made.Number} speaks TLS");
            return;
        }
        Put(made, port);
    }

    private void Refuse(GatewayServer loser, GatewayServer winner, string reason) =>
        _conflicts.Add(new ServerConflict(winner, loser, reason));

    private GatewayServer FirstOn(int number) => _ports[_order.First(port => port.Number == number)][0];

    private void Put(GatewayServer made, (int Number, string Protocol, string Bind) port)
    {
        if (!_ports.TryGetValue(port, out var servers))
        {
            _ports.Add(port, servers = []);
            _order.Add(port);
        }
        servers.Add(made);
    }

    private void Route(GatewayServer made)
    {
        if (!_byRoute.TryGetValue(made.RouteName, out var servers)) _byRoute.Add(made.RouteName, servers = []);
        servers.Add(made);
    }

    // Envoy refuses two chains for one SNI host: a server with one host that is taken is left out whole.
    private bool ClaimSni(GatewayServer made)
    {
        foreach (var name in SniNames(made))
        {
            if (!_sniOwners.TryGetValue((made.Number, name), out var owner) || owner.Server.Bind != made.Server.Bind) continue;
            Refuse(made, owner, $"TLS clients that ask for \"{name}\" on port {made.Number} are its");
            return false;
        }
        foreach (var name in SniNames(made)) _sniOwners[(made.Number, name)] = made;
        return true;
    }

    private static IEnumerable<string> SniNames(GatewayServer made) =>
        made.Hosts.Select(host => host.Namespace == "*" ? host.Host : $"{host.Namespace}/{host.Host}");

    private static ImmutableArray<(string Namespace, string Host)> HostsOf(Server server, string ownNamespace)
    {
        var hosts = ImmutableArray.CreateBuilder<(string, string)>();
        foreach (var entry in server.Hosts)
        {
            var slash = entry.IndexOf('/', StringComparison.Ordinal);
            if (slash < 0)
            {
                hosts.Add(("*", entry));
                continue;
            }
            var ns = entry[..slash];
            var host = entry[(slash + 1)..];
            if (ns == "*" && host == "*") return [("*", "*")];
            hosts.Add((ns == "." ? ownNamespace : ns, host));
        }
        return hosts.ToImmutable();
    }

    private static ImmutableArray<string> SniOf(Server server, ImmutableArray<(string Namespace, string Host)> hosts) =>
        server.Tls is null ? [] : [.. hosts.Select(host => host.Host).Distinct().Order(StringComparer.Ordinal)];

    private static string RouteName(Origin gateway, Server server, int number, Protocol protocol)
    {
        var bind = server.Bind.Length > 0 ? "." + server.Bind : "";
        if (protocol.IsHttp()) return $"http.{number}{bind}";
        return protocol == Protocol.Https && !IsPassthrough(server)
            ? $"https.{server.Port.Number}.{server.Port.Name}.{gateway.Name}.{gateway.Namespace}{bind}"
            : "";
    }

    private static bool IsPassthrough(Server server) => server.Tls?.Mode is TlsMode.Passthrough or TlsMode.AutoPassthrough;

    // A redirect to HTTPS is served in plaintext, whatever else the settings say.
    private static bool IsTls(Server server, Protocol protocol) => (server.Tls is not null && !protocol.IsHttp()) || protocol.IsTls();

    private static bool IsHttp(Server server, Protocol protocol) =>
        protocol.IsHttp() || (protocol == Protocol.Https && server.Tls is not null && !IsPassthrough(server));

    private MergedGateway? Finish()
    {
        if (_order.Count == 0) return null;
        var servers = _ports.Values.SelectMany(list => list).ToList();
        return new MergedGateway
        {
            Ports = [.. _order.Select(port => new GatewayPort(port.Number, port.Bind, Protocols.Parse(port.Protocol), [.. _ports[port]]))],
            ByRouteName = _byRoute.ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToImmutableArray()),
            Credentials = _credentials.ToFrozenSet(),
            Conflicts = [.. _conflicts],
            HasAutoPassthrough = servers.Exists(server => server.Server.Tls?.Mode == TlsMode.AutoPassthrough),
            PortsByTarget = servers.GroupBy(server => server.Number)
                .ToFrozenDictionary(group => group.Key,
                    group => group.Select(server => (int)server.Server.Port.Number).Distinct().Order().ToImmutableArray()),
        };
    }
}
