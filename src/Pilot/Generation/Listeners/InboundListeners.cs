using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Registry;
using Filter = Envoy.Config.Listener.V3.Filter;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>Inbound listeners of a sidecar: the one for captured traffic, and real ones where ports are bound.</summary>
internal sealed class InboundListeners
{
    /// <summary>Name of the listener for captured inbound traffic.</summary>
    public const string VirtualName = "virtualInbound";

    private const string MergeFeature = "PILOT_ALLOW_SIDECAR_SERVICE_INBOUND_LISTENER_MERGE";
    private const string IngressTlsFeature = "ENABLE_TLS_ON_SIDECAR_INGRESS";
    private readonly ListenerParts _parts;
    private readonly ProxyInputs _inputs;
    private readonly InboundChains _chains;

    public InboundListeners(ListenerParts parts)
    {
        _parts = parts;
        _inputs = parts.Inputs;
        _chains = new InboundChains(parts);
    }

    /// <summary>All inbound listeners.</summary>
    public IEnumerable<Listener> Build()
    {
        var targets = Targets();
        var captured = new List<(int Port, IReadOnlyList<FilterChain> Chains)>();
        var listeners = new List<Listener>();
        foreach (var target in targets)
        {
            var built = _chains.Build(target, _parts.Peers.For(target.TargetPort));
            if (target.BindsToPort) listeners.Add(Real(target, built));
            else captured.Add((target.TargetPort, built));
        }
        if (!_inputs.BindsEverything) listeners.Insert(0, Virtual(targets, captured));
        return listeners;
    }

    /// <summary>The same chains for connections out of tunnels, where the tunnel has told who the peer is.</summary>
    public Listener Tunneled()
    {
        var captured = Targets().Where(static t => !t.BindsToPort)
            .Select(target => (Port: target.TargetPort, Chains: _chains.Tunneled(target))).ToList();
        var others = _chains.Tunneled(Passthrough(0));
        var listener = new Listener
        {
            Name = Waypoints.TunnelListeners.MainInternal,
            TrafficDirection = TrafficDirection.Inbound,
            ContinueOnListenerFiltersTimeout = true,
            InternalListener = new Listener.Types.InternalListenerConfig(),
            ListenerFilters = { ListenerFilters.OriginalDestination() },
            FilterChains = { captured.SelectMany(static c => c.Chains), others },
        };
        var spared = captured.Where(static c => !InboundChains.NeedsHttpInspector(c.Chains)).Select(static c => c.Port).ToList();
        listener.ListenerFilters.Add(ListenerFilters.HttpInspector().ExceptOn(spared));
        return listener;
    }

    // ---- what is served

    private List<InboundTarget> Targets()
    {
        var byPort = new SortedDictionary<int, InboundTarget>();
        var ingress = _inputs.Scope.Imports.Sidecar?.Spec.Ingress;
        if (ingress is { Count: > 0 }) AddIngress(byPort, ingress);
        if (ingress is not { Count: > 0 } || _inputs.Features.Flag(MergeFeature, false)) AddServices(byPort);
        return [.. byPort.Values];
    }

    // One workload port has one listener, whichever services use it; the oldest one names it.
    private void AddServices(SortedDictionary<int, InboundTarget> byPort)
    {
        if (_inputs.BindsEverything) return;
        foreach (var target in _inputs.Scope.AllTargets)
        {
            if (byPort.ContainsKey(target.TargetPort)) continue;
            var binds = _inputs.Node.Wildcards();
            if (ReservedPorts.Conflicts(_inputs, binds[0], target.TargetPort, target.Port.Protocol)) continue;
            byPort[target.TargetPort] = new InboundTarget
            {
                TargetPort = target.TargetPort,
                Port = target.Port,
                Bind = binds[0],
                ExtraBinds = [.. binds.Skip(1)],
                Hostname = target.Service.Hostname,
                Service = target.Service,
            };
        }
    }

    private void AddIngress(SortedDictionary<int, InboundTarget> byPort, IReadOnlyList<IstioIngressListener> ingress)
    {
        var origin = _inputs.Scope.Imports.Sidecar!.Origin;
        foreach (var listener in ingress)
        {
            var number = (int)(listener.Port?.Number ?? 0);
            var binds = BindsOf(listener);
            var isReal = _inputs.BindsEverything || listener.CaptureMode == CaptureMode.None;
            var protocol = Protocols.Parse(listener.Port?.Protocol ?? "");
            if (byPort.ContainsKey(number) || ReservedPorts.Conflicts(_inputs, binds[0], number, protocol)) continue;
            if (isReal && _inputs.Node.Metadata.UnprivilegedPod && number is > 0 and < 1024) continue;
            byPort[number] = new InboundTarget
            {
                TargetPort = number,
                Port = new ServicePort(listener.Port?.Name ?? "", number, protocol),
                Bind = binds[0],
                ExtraBinds = [.. binds.Skip(1)],
                BindsToPort = isReal,
                Hostname = $"{origin.Name}.{origin.Namespace}",
                Provenance = Wire.Provenance("networking.istio.io", "sidecar", origin.Namespace, origin.Name),
                Tls = _inputs.Features.Flag(IngressTlsFeature, false) ? listener.Tls : null,
            };
        }
    }

    // Without capture the kernel delivers to the address itself; otherwise the name only tells which workload it is.
    private IReadOnlyList<string> BindsOf(IstioIngressListener listener)
    {
        if (listener.Bind.Length > 0) return [listener.Bind];
        if (_inputs.BindsEverything || _inputs.Node.Addresses.IsEmpty) return _inputs.Node.Wildcards();
        return _inputs.Features.DualStack ? _inputs.Node.Addresses : [_inputs.Node.Addresses[0]];
    }

    // ---- the listeners

    private Listener Real(InboundTarget target, IReadOnlyList<FilterChain> built)
    {
        var listener = Start(target.Name, target.Bind, target.ExtraBinds, target.TargetPort);
        AddInspectors(listener, [(target.TargetPort, built)], null);
        Finish(listener, built);
        return listener;
    }

    private Listener Virtual(IReadOnlyList<InboundTarget> targets, List<(int Port, IReadOnlyList<FilterChain> Chains)> captured)
    {
        var binds = _inputs.Node.Wildcards();
        var port = _inputs.Mesh.ProxyInboundListenPort;
        var listener = Start(VirtualName, binds[0], [.. binds.Skip(1)], port);
        listener.ListenerFilters.Add(ListenerFilters.OriginalDestination());
        if (_inputs.Node.Metadata.Interception == Scope.InterceptionMode.Tproxy)
        {
            listener.Transparent = true;
            listener.ListenerFilters.Add(ListenerFilters.OriginalSource());
        }
        var declared = targets.Where(static t => !t.BindsToPort).Select(static t => t.TargetPort).ToHashSet();
        var undeclared = new List<FilterChain>();
        var named = new List<(int, IReadOnlyList<FilterChain>)>();
        IReadOnlyList<FilterChain> others = [];
        foreach (var mtls in _parts.Peers.ForUndeclared(declared))
        {
            var built = _chains.Build(Passthrough(mtls.Port), mtls);
            undeclared.AddRange(built);
            if (mtls.Port == 0) others = built;
            else named.Add((mtls.Port, built));
        }
        AddInspectors(listener, [.. named, .. captured], others);
        Finish(listener, [Blackhole(port), .. undeclared, .. captured.SelectMany(static c => c.Chains)]);
        listener.AccessLog.Add(_parts.Logs.For(LogPlace.Listener, ListenerClass.SidecarInbound));
        return listener;
    }

    private InboundTarget Passthrough(int port) => new()
    {
        TargetPort = port,
        Port = new ServicePort("virtualInbound", 0, Protocol.Unsupported),
        Bind = _inputs.Node.Wildcards()[0],
        IsPassthrough = true,
    };

    // Traffic for the proxy's own port would be forwarded to the proxy, without end.
    private FilterChain Blackhole(int port)
    {
        var chain = new FilterChain
        {
            Name = "virtualInbound-blackhole",
            FilterChainMatch = new FilterChainMatch { DestinationPort = (uint)port },
        };
        if (_inputs.Features.MetadataExchange) chain.Filters.Add(NetworkFilters.PeerExchange());
        chain.Filters.Add(new TcpProxies(_parts).Closed(ListenerClass.SidecarInbound));
        return chain;
    }

    private Listener Start(string name, string bind, IReadOnlyList<string> extra, int port)
    {
        var listener = new Listener
        {
            Name = name,
            Address = ListenerRenderer.AddressOf(bind, port),
            TrafficDirection = TrafficDirection.Inbound,
            ContinueOnListenerFiltersTimeout = true,
            MaxConnectionsToAcceptPerSocketEvent = OutboundListeners.AcceptsPerEvent(_inputs),
        };
        if (_inputs.Features.DualStack) listener.AdditionalAddresses.Add(ListenerRenderer.Additional(extra, port));
        if (_inputs.Node.Metadata.Flag("INBOUND_LISTENER_EXACT_BALANCE"))
            listener.ConnectionBalanceConfig = OutboundListeners.ExactBalance();
        return listener;
    }

    private void Finish(Listener listener, IEnumerable<FilterChain> built)
    {
        listener.FilterChains.Add(built);
        listener.ListenerFiltersTimeout = _inputs.Mesh.ProtocolDetectionTimeout ?? Wire.Zero;
        if (ConnectionLimits.BufferBytes(_inputs) is { } bytes) listener.PerConnectionBufferLimitBytes = bytes;
    }

    // Looking into a connection delays protocols in which the server speaks first; ports that don't need it are spared.
    private void AddInspectors(Listener listener, IReadOnlyList<(int Port, IReadOnlyList<FilterChain> Chains)> ports,
        IReadOnlyList<FilterChain>? others)
    {
        var tls = ports.Where(static p => InboundChains.NeedsTlsInspector(p.Chains)).Select(static p => p.Port).ToList();
        var own = others is null ? [] : new[] { _inputs.Mesh.ProxyInboundListenPort };
        if (others is not null && InboundChains.NeedsTlsInspector(others))
        {
            listener.ListenerFilters.Add(ListenerFilters.TlsInspector()
                .ExceptOn([.. ports.Select(static p => p.Port).Except(tls), .. own]));
        }
        else if (tls.Count > 0) listener.ListenerFilters.Add(ListenerFilters.TlsInspector().OnlyOn(tls));
        var http = ports.Where(static p => InboundChains.NeedsHttpInspector(p.Chains)).Select(static p => p.Port).ToList();
        var othersNeedIt = others is not null && InboundChains.NeedsHttpInspector(others);
        if (!othersNeedIt && http.Count == 0) return;
        var rest = others is null || othersNeedIt ? [] : new[] { 0 };
        listener.ListenerFilters.Add(ListenerFilters.HttpInspector()
            .ExceptOn([.. rest, .. ports.Select(static p => p.Port).Except(http), .. own]));
    }
}
