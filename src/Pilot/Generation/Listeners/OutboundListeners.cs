using System.Net;
using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Service = Lateen.Registry.Service;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>Outbound listeners of a sidecar: one for each port and address that the imported services need, shared where they
/// meet.</summary>
internal sealed class OutboundListeners
{
    private readonly ListenerParts _parts;
    private readonly ProxyInputs _inputs;
    private readonly OutboundTcpChains _tcp;
    private readonly Dictionary<(string Bind, int Port), OutboundEntry> _entries = [];
    private readonly List<OutboundEntry> _order = [];
    private readonly IReadOnlyList<string> _wildcards;

    public OutboundListeners(ListenerParts parts)
    {
        _parts = parts;
        _inputs = parts.Inputs;
        _tcp = new OutboundTcpChains(parts);
        _wildcards = _inputs.Node.Wildcards();
    }

    /// <summary>All outbound listeners.</summary>
    public IEnumerable<Listener> Build() => Entries().Select(Render);

    /// <summary>What listeners there must be; to be asked once.</summary>
    public IReadOnlyList<OutboundEntry> Entries()
    {
        foreach (var egress in _inputs.Scope.Imports.EgressListeners) Add(egress);
        return _order;
    }

    // ---- which listeners are wanted

    private void Add(EgressListener egress)
    {
        // Of all rules those that are about bytes; there are few, and each is looked at for each service.
        var rules = egress.VirtualServices.Where(static rule => rule.Spec.Tcp.Count > 0 || rule.Spec.Tls.Count > 0)
            .Select(RouteRules.Of).ToList();
        var declared = egress.Declared;
        var binds = BindingOf(declared);
        if (declared?.Port is { } port)
        {
            var listenPort = new ServicePort(port.Name, (int)port.Number, Protocols.Parse(port.Protocol));
            if (!CanBind(binds, listenPort)) return;
            foreach (var service in egress.Services) Add(new Wanted(service, listenPort, binds, [], rules));
            return;
        }
        // Ports that an earlier listener declares are complete: the catch-all adds nothing to them.
        foreach (var entry in _order) entry.IsLocked = true;
        foreach (var service in egress.Services)
        {
            foreach (var servicePort in service.Ports)
            {
                if (CanBind(binds, servicePort)) AddServicePort(service, servicePort, binds, rules);
            }
        }
    }

    private Binding BindingOf(IstioEgressListener? declared)
    {
        var isUnix = declared?.Bind.StartsWith(ListenerRenderer.UnixPrefix, StringComparison.Ordinal) == true;
        var real = _inputs.BindsEverything || declared?.CaptureMode == CaptureMode.None || isUnix;
        if (declared is { Bind.Length: > 0 }) return new Binding([declared.Bind], real);
        return new Binding(real ? _inputs.Node.Loopbacks() : [], real);
    }

    private bool CanBind(Binding binding, ServicePort port)
    {
        if (binding.IsReal && _inputs.Node.Metadata.UnprivilegedPod && port.Number is > 0 and < 1024) return false;
        return !ReservedPorts.Conflicts(_inputs, binding.Primary, port.Number, port.Protocol);
    }

    // Headless services that speak bytes can only be told apart by the addresses of their endpoints.
    private void AddServicePort(Service service, ServicePort port, Binding binds, IReadOnlyList<RouteRules> rules)
    {
        if (IsServed(port, binds)) return;
        var perEndpoint = binds.Primary.Length == 0 && service.Resolution == ServiceResolution.Passthrough
            && ServiceAddresses.Primary(service, _inputs.Node) == Service.UnspecifiedAddress
            && (port.Protocol.IsTcp() || port.Protocol.IsUnsupported());
        if (!perEndpoint)
        {
            foreach (var address in OwnListenersOf(service, port, binds)) Add(new Wanted(service, port, address, [], rules));
            return;
        }
        var endpoints = _inputs.Scope.Snapshot.Registry.EndpointsOf(service.Key).All.Where(e => e.PortName == port.Name).ToList();
        if (service.Source != ServiceSource.Kubernetes && endpoints.Count == 0 && service.Selector.Count == 0)
        {
            Add(new Wanted(service, port, binds, [], rules));
            return;
        }
        foreach (var endpoint in endpoints)
        {
            // To itself a workload talks without its proxy.
            if (!IPAddress.TryParse(endpoint.Address, out _) || _inputs.Node.Addresses.Contains(endpoint.Address)) continue;
            var addresses = _inputs.Features.DualStack ? endpoint.Addresses : [endpoint.Address];
            Add(_inputs.Features.HeadlessFilterChains
                ? new Wanted(service, port, binds with { Addresses = _wildcards }, addresses, rules)
                : new Wanted(service, port, binds with { Addresses = addresses }, [], rules));
        }
    }

    // Most services speak HTTP at a port that others have as well: its listener is there, and finds them by their hosts.
    private bool IsServed(ServicePort port, Binding binds) => binds.Primary.Length == 0 && port.Protocol.IsHttp()
        && _entries.TryGetValue((_wildcards[0], port.Number), out var entry) && (entry.IsLocked || entry.Kind != ListenKind.Tcp);

    // Of a ServiceEntry with several addresses each is listened on by itself; HTTP needs none of them.
    private IEnumerable<Binding> OwnListenersOf(Service service, ServicePort port, Binding binds)
    {
        if (binds.Primary.Length > 0 || service.Source != ServiceSource.ServiceEntry || port.Protocol.IsHttp()
            || _inputs.Features.DualStack) return [binds];
        var addresses = ServiceAddresses.Each(service, _inputs.Node, _inputs.Features);
        return addresses.Count < 2 ? [binds] : addresses.Select(a => binds with { Only = a });
    }

    // ---- the listener that serves it, and conflicts on the way

    private sealed record Binding(IReadOnlyList<string> Addresses, bool IsReal)
    {
        public string Primary => Addresses.Count > 0 ? Addresses[0] : "";

        /// <summary>The one address of several of the service that is meant.</summary>
        public string? Only { get; init; }
    }

    private sealed record Wanted(Service Service, ServicePort Port, Binding Binding, IReadOnlyList<string> Destinations,
        IReadOnlyList<RouteRules> Rules);

    private enum Kind
    {
        Http,
        Tcp,
        Sniffed,
        None,
    }

    private static Kind KindOf(Protocol protocol) =>
        protocol.IsHttp() ? Kind.Http : protocol.IsTcp() ? Kind.Tcp : protocol == Protocol.Udp ? Kind.None : Kind.Sniffed;

    private void Add(Wanted wanted)
    {
        if (wanted.Service.Resolution == ServiceResolution.Alias) return;
        var kind = KindOf(wanted.Port.Protocol);
        if (kind == Kind.None) return;
        wanted = kind == Kind.Http ? OnWildcard(wanted) : OnServiceAddress(wanted);
        var current = _entries.GetValueOrDefault((wanted.Binding.Primary, wanted.Port.Number));
        if (current is { IsLocked: true }) return;
        if (current is null)
        {
            Create(wanted, kind);
            return;
        }
        // A listener that already speaks HTTP on the port serves all HTTP services by their host.
        var sameHttp = kind == Kind.Http && current.Kind != ListenKind.Tcp;
        var sameSniffed = kind == Kind.Sniffed && current.Kind == ListenKind.Sniffed;
        if (sameHttp || sameSniffed || ConflictsWithServerFirst(wanted.Port.Protocol, current.Protocol)) return;
        Merge(current, wanted, kind);
    }

    private Wanted OnWildcard(Wanted wanted) =>
        wanted.Binding.Primary.Length > 0 ? wanted : wanted with { Binding = wanted.Binding with { Addresses = _wildcards } };

    // A service is listened for at its address; ranges become matches on the address that stands for all.
    private Wanted OnServiceAddress(Wanted wanted)
    {
        if (wanted.Binding.Primary.Length > 0) return wanted;
        var node = _inputs.Node;
        var address = wanted.Binding.Only ?? ServiceAddresses.Primary(wanted.Service, node);
        var extra = ServiceAddresses.Extra(wanted.Service, node, _inputs.Features).ToList();
        var isForeign = wanted.Service.Source == ServiceSource.ServiceEntry;
        if (isForeign && node.IsIPv6Only && address == Service.UnspecifiedAddress) address = ServiceAddresses.UnspecifiedIPv6;
        if (isForeign && node.IsDualStack && address == Service.UnspecifiedAddress) extra.Add(ServiceAddresses.UnspecifiedIPv6);
        if (!address.Contains('/')) return wanted with { Binding = wanted.Binding with { Addresses = [address, .. extra] } };
        return wanted with { Binding = wanted.Binding with { Addresses = _wildcards }, Destinations = [address, .. extra] };
    }

    private void Create(Wanted wanted, Kind kind)
    {
        // HTTP on the wildcard address shares its port with whatever else the application may reach there, so it is told by sniffing.
        var isShared = kind == Kind.Http && wanted.Binding.Primary == _wildcards[0] && wanted.Port.Protocol != Protocol.HttpProxy;
        var entry = new OutboundEntry(wanted.Binding.Addresses, wanted.Binding.IsReal, wanted.Port,
            isShared ? Protocol.Unsupported : wanted.Port.Protocol);
        entry.Chains.AddRange(Chains(wanted, kind));
        _entries[(wanted.Binding.Primary, wanted.Port.Number)] = entry;
        _order.Add(entry);
    }

    private void Merge(OutboundEntry current, Wanted wanted, Kind kind)
    {
        var chains = Chains(wanted, kind);
        if (kind == Kind.Sniffed && current.Kind == ListenKind.Http)
        {
            // Sniffing covers what the HTTP listener did.
            current.Replace(wanted.Binding.Addresses, wanted.Binding.IsReal, wanted.Port, wanted.Port.Protocol, chains);
            return;
        }
        foreach (var chain in chains.Where(c => !current.Chains.Any(c.ConflictsWith))) current.Chains.Add(chain);
        var mixes = kind != Kind.Tcp || current.Kind == ListenKind.Http;
        if (mixes) current.Protocol = Protocol.Unsupported;
    }

    // The inspectors that tell protocols apart wait for the client, and here the server speaks first.
    private static bool ConflictsWithServerFirst(Protocol incoming, Protocol existing) =>
        incoming != existing && (incoming is Protocol.Mongo or Protocol.MySql || existing is Protocol.Mongo or Protocol.MySql);

    // ---- chains

    private List<FilterChainPlan> Chains(Wanted wanted, Kind kind)
    {
        var chains = kind == Kind.Http
            ? [] : _tcp.For(new TcpChainInputs(wanted.Service, wanted.Port, wanted.Binding.Primary, wanted.Destinations, wanted.Rules));
        if (kind != Kind.Tcp) chains.Add(HttpChain(wanted, kind));
        return chains;
    }

    private FilterChainPlan HttpChain(Wanted wanted, Kind kind)
    {
        var isShared = wanted.Binding.Primary == _wildcards[0];
        var sniffs = kind == Kind.Sniffed || (isShared && wanted.Port.Protocol != Protocol.HttpProxy);
        var manager = HttpPlan.WithHeaders(_inputs.Config, ListenerClass.SidecarOutbound);
        if (AcceptsHttp10(_inputs)) manager.HttpProtocolOptions = new Http1ProtocolOptions { AcceptHttp10 = true };
        return new FilterChainPlan
        {
            ApplicationProtocols = sniffs ? PlaintextHttp(_inputs) : [],
            TransportProtocol = sniffs ? "raw_buffer" : "",
            Http = new HttpPlan
            {
                Class = ListenerClass.SidecarOutbound,
                Protocol = wanted.Port.Protocol,
                RouteName = RouteName(wanted, kind, isShared),
                UsesRemoteAddress = _inputs.Features.UseRemoteAddress,
                Base = manager,
                DnsCache = wanted.Service.Resolution == ServiceResolution.DynamicDns
                    ? DynamicDns.CacheOf(wanted.Service.Hostname, _inputs.Node)
                    : _inputs.Fallback == OutboundFallback.DynamicDns ? DynamicDns.CacheOfUnknown(_inputs) : null,
            },
        };
    }

    private static string RouteName(Wanted wanted, Kind kind, bool isShared)
    {
        if (wanted.Port.Number == 0) return wanted.Binding.Primary;
        var port = wanted.Port.Number.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return kind == Kind.Sniffed && !isShared ? $"{wanted.Service.Hostname}:{port}" : port;
    }

    /// <summary>What the HTTP inspector calls plaintext HTTP. HTTP/1.0 is HTTP only for those who accept it.</summary>
    public static IReadOnlyList<string> PlaintextHttp(ProxyInputs inputs) =>
        inputs.Features.Http10 ? ["http/1.0", "http/1.1", "h2c"] : ["http/1.1", "h2c"];

    /// <summary>The proxy takes HTTP/1.0.</summary>
    public static bool AcceptsHttp10(ProxyInputs inputs) => inputs.Features.Http10 || inputs.Node.Metadata.Http10;

    // ---- rendering

    /// <summary>Renders one of the entries.</summary>
    public Listener Render(OutboundEntry entry) => Render(_parts, entry, () => new TcpProxies(_parts).Unknown());

    /// <summary>Renders one outbound listener.</summary>
    /// <param name="parts">Shared parts.</param>
    /// <param name="entry">What it serves.</param>
    /// <param name="unknown">Filters for what matches none of its chains.</param>
    public static Listener Render(ListenerParts parts, OutboundEntry entry, Func<IEnumerable<Envoy.Config.Listener.V3.Filter>> unknown)
    {
        var inputs = parts.Inputs;
        var name = ListenerRenderer.NameOf(entry.Binds[0], entry.Port.Number);
        var listener = new Listener
        {
            Name = name,
            Address = ListenerRenderer.AddressOf(entry.Binds[0], entry.Port.Number),
            TrafficDirection = TrafficDirection.Outbound,
            ContinueOnListenerFiltersTimeout = true,
            ListenerFiltersTimeout = Wire.Zero,
        };
        if (inputs.Features.DualStack)
            listener.AdditionalAddresses.Add(ListenerRenderer.Additional(entry.Binds.Skip(1), entry.Port.Number));
        if (inputs.Node.Metadata.Flag("OUTBOUND_LISTENER_EXACT_BALANCE")) listener.ConnectionBalanceConfig = ExactBalance();
        if (entry.IsReal) listener.MaxConnectionsToAcceptPerSocketEvent = AcceptsPerEvent(inputs);
        else listener.BindToPort = false;
        if (entry.Chains.Any(static c => c.NeedsTlsInspector)) listener.ListenerFilters.Add(ListenerFilters.TlsInspector());
        if (entry.Chains.Any(static c => c.ApplicationProtocols.Count > 0))
        {
            listener.ListenerFilters.Add(ListenerFilters.HttpInspector());
            listener.ListenerFiltersTimeout = inputs.Mesh.ProtocolDetectionTimeout ?? Wire.Zero;
        }
        AddChains(parts, entry, name, listener);
        if (listener.DefaultFilterChain is null && listener.FilterChains is not [{ FilterChainMatch: null }])
        {
            listener.DefaultFilterChain = new FilterChain
            {
                Name = "PassthroughFilterChain",
                FilterChainMatch = new FilterChainMatch(),
                Filters = { unknown() },
            };
        }
        if (ConnectionLimits.BufferBytes(inputs) is { } bytes) listener.PerConnectionBufferLimitBytes = bytes;
        return listener;
    }

    // The chain that matches all is what is left when others don't; alone it is an ordinary chain.
    private static void AddChains(ListenerParts parts, OutboundEntry entry, string name, Listener listener)
    {
        foreach (var plan in entry.Chains)
        {
            var complete = plan.Http is { } http
                ? plan with
                {
                    Http = http with { StatPrefix = ListenerRenderer.StatPrefix(name), Port = entry.Port.Number },
                    Filters = [.. plan.Filters, .. parts.Extensions.Network(http.Class, entry.Port.Number).All],
                }
                : plan;
            var chain = ListenerRenderer.Chain(parts, complete);
            if (plan.IsMatchAll) listener.DefaultFilterChain = chain;
            else listener.FilterChains.Add(chain);
        }
        if (listener.FilterChains.Count == 0 && listener.DefaultFilterChain is { } only)
        {
            listener.FilterChains.Add(only);
            listener.DefaultFilterChain = null;
        }
    }

    /// <summary>Connections are spread over the workers exactly.</summary>
    public static Listener.Types.ConnectionBalanceConfig ExactBalance() =>
        new() { ExactBalance = new Listener.Types.ConnectionBalanceConfig.Types.ExactBalance() };

    /// <summary>Connections taken at one wake-up of a worker; null for no limit.</summary>
    public static uint? AcceptsPerEvent(ProxyInputs inputs) =>
        inputs.Features.Number("MAX_CONNECTIONS_PER_SOCKET_EVENT_LOOP", 1) is > 0 and var count ? (uint)count : null;
}

/// <summary>What kind of traffic an outbound listener tells apart.</summary>
internal enum ListenKind
{
    Http,
    Tcp,
    Sniffed,
}

/// <summary>One outbound listener while services are added to it.</summary>
internal sealed class OutboundEntry(IReadOnlyList<string> binds, bool isReal, ServicePort port, Protocol protocol)
{
    public IReadOnlyList<string> Binds { get; private set; } = binds;

    public bool IsReal { get; private set; } = isReal;

    public ServicePort Port { get; private set; } = port;

    public Protocol Protocol { get; set; } = protocol;

    public List<FilterChainPlan> Chains { get; } = [];

    public bool IsLocked { get; set; }

    public ListenKind Kind => Protocol.IsHttp() ? ListenKind.Http : Protocol.IsTcp() ? ListenKind.Tcp : ListenKind.Sniffed;

    public void Replace(IReadOnlyList<string> newBinds, bool newIsReal, ServicePort newPort, Protocol newProtocol,
        IEnumerable<FilterChainPlan> chains)
    {
        (Binds, IsReal, Port, Protocol) = (newBinds, newIsReal, newPort, newProtocol);
        Chains.Clear();
        Chains.AddRange(chains);
    }
}

/// <summary>Ports that the proxy itself uses.</summary>
internal static class ReservedPorts
{
    /// <summary>Whether a listener on the wildcard address would take a port of the proxy.</summary>
    public static bool Conflicts(ProxyInputs inputs, string bind, int port, Protocol protocol)
    {
        if (bind.Length > 0 ? bind != inputs.Node.Wildcards()[0] : !protocol.IsHttp()) return false;
        var metadata = inputs.Node.Metadata;
        return port == inputs.Mesh.ProxyListenPort || port == inputs.Mesh.ProxyInboundListenPort
            || IsPort(metadata.Text("ENVOY_STATUS_PORT"), port) || IsPort(metadata.Text("ENVOY_PROMETHEUS_PORT"), port);
    }

    private static bool IsPort(string text, int port) => int.TryParse(text, out var number) && number == port;
}
