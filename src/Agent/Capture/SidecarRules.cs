using System.Net;

namespace Lateen.Agent.Capture;

/// <summary>The rules that lead a workload's traffic to its sidecar, in Istio's order (each step's reason stands beside it).</summary>
public static class SidecarRules
{
    private const string Nat = "nat", Mangle = "mangle", Raw = "raw";
    private const string Inbound = "ISTIO_INBOUND", Redirect = "ISTIO_REDIRECT", InRedirect = "ISTIO_IN_REDIRECT", Output = "ISTIO_OUTPUT",
        OutputDns = "ISTIO_OUTPUT_DNS";
    private const string Drop = "ISTIO_DROP", Divert = "ISTIO_DIVERT", TProxy = "ISTIO_TPROXY";

    /// <summary>The rules for IPv4, and those for IPv6 (empty unless asked for).</summary>
    public static (RuleSet V4, RuleSet V6) Build(CaptureOptions options)
    {
        if (CaptureChecks.Problems(options).FirstOrDefault() is { } problem) throw new ArgumentException(problem, nameof(options));
        var v4 = new Family(options, v6: false);
        v4.Build();
        var v6 = new Family(options, v6: true);
        if (options.EnableIPv6) v6.Build();
        return (v4.Rules, v6.Rules);
    }

    private static string[] List(string commas) =>
        commas.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private sealed class Family(CaptureOptions options, bool v6)
    {
        private readonly string _loopback = v6 ? "::1/128" : options.HostIPv4LoopbackCidr;
        // the address from which the proxy speaks to its application
        private readonly string _passthrough = v6 ? "::6/128" : "127.0.0.6/32";
        private readonly bool _transparent = options.InboundInterceptionMode == "TPROXY";
        private readonly string[] _included = Ranges(options.OutboundIPRangesInclude, v6),
            _excluded = Ranges(options.OutboundIPRangesExclude, v6);
        // Without a resolver to redirect from there is nothing to redirect, in either family.
        private readonly bool _dns = options.RedirectDns
            && (options.CaptureAllDns || options.DnsServersV4.Count + options.DnsServersV6.Count > 0);
        private readonly IReadOnlyList<string> _resolvers = v6 ? options.DnsServersV6 : options.DnsServersV4;

        public RuleSet Rules { get; } = new();

        public void Build()
        {
            LeaveInterfacesAlone();
            DropInvalid();
            ReturnVirtualInterfaces();
            Targets();
            CaptureInbound();
            CaptureOutbound();
            if (_dns) SeparateDnsConnections();
            if (_transparent) KeepMarks();
            ExemptTransparent();
        }

        private void LeaveInterfacesAlone()
        {
            foreach (string nic in List(options.ExcludeInterfaces))
            {
                Rules.Append(Nat, "PREROUTING", $"-i {nic} -j RETURN");
                Rules.Append(Nat, "OUTPUT", $"-o {nic} -j RETURN");
                if (!_transparent) continue;
                Rules.Append(Mangle, "PREROUTING", $"-i {nic} -j RETURN");
                Rules.Append(Mangle, "OUTPUT", $"-o {nic} -j RETURN");
            }
        }

        // A packet outside its connection's window would otherwise be answered by the kernel with a reset, which ends the real connection.
        private void DropInvalid()
        {
            if (!options.DropInvalid || v6) return;
            Rules.Append(Mangle, "PREROUTING", $"-m conntrack --ctstate INVALID -j {Drop}");
            Rules.Append(Mangle, Drop, "-j DROP");
        }

        private void ReturnVirtualInterfaces()
        {
            foreach (string nic in List(options.RerouteVirtualInterfaces)) Rules.Insert(Nat, "PREROUTING", 1, $"-i {nic} -j RETURN");
        }

        private void Targets()
        {
            Rules.Append(Nat, Inbound, $"-p tcp --dport {options.InboundTunnelPort} -j RETURN");
            Rules.Append(Nat, Redirect, $"-p tcp -j REDIRECT --to-ports {options.ProxyPort}");
            Rules.Append(Nat, InRedirect, $"-p tcp -j REDIRECT --to-ports {options.InboundCapturePort}");
        }

        private void CaptureInbound()
        {
            if (options.InboundPortsInclude.Length == 0) return;
            string table = _transparent ? Mangle : Nat;
            if (_transparent)
            {
                Rules.Append(Mangle, Divert, $"-j MARK --set-mark {options.InboundTProxyMark}");
                Rules.Append(Mangle, Divert, "-j ACCEPT");
                Rules.Append(Mangle, TProxy,
                    $"! -d {_loopback} -p tcp -j TPROXY --tproxy-mark {options.InboundTProxyMark}/0xffffffff "
                    + $"--on-port {options.InboundCapturePort}");
            }
            Rules.Append(table, "PREROUTING", $"-p tcp -j {Inbound}");
            if (options.InboundPortsInclude == "*")
            {
                foreach (string port in List(options.InboundPortsExclude)) Rules.Append(table, Inbound, $"-p tcp --dport {port} -j RETURN");
                if (_transparent) Rules.Append(Mangle, Inbound, $"-p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j {Divert}");
                Rules.Append(table, Inbound, $"-p tcp -j {(_transparent ? TProxy : InRedirect)}");
                return;
            }
            foreach (string port in List(options.InboundPortsInclude))
            {
                if (_transparent)
                {
                    Rules.Append(Mangle, Inbound, $"-p tcp --dport {port} -m conntrack --ctstate RELATED,ESTABLISHED -j {Divert}");
                    Rules.Append(Mangle, Inbound, $"-p tcp --dport {port} -j {TProxy}");
                }
                else
                {
                    Rules.Append(Nat, Inbound, $"-p tcp --dport {port} -j {InRedirect}");
                }
            }
        }

        private void CaptureOutbound()
        {
            Rules.Append(Nat, "OUTPUT", $"-j {Output}");
            foreach (string port in List(options.OutboundPortsExclude))
            {
                Rules.Append(Nat, Output, $"-p tcp --dport {port} -j RETURN");
                Rules.Append(Nat, Output, $"-p udp --dport {port} -j RETURN");
            }
            Rules.Append(Nat, Output, $"-o lo -s {_passthrough} -j RETURN");
            if (options.ProxyMark.Length > 0) ExemptProxy("uid", "-m mark", "--mark " + options.ProxyMark);
            else
            {
                foreach (string user in List(options.ProxyUid)) ExemptProxy("uid", "-m owner", "--uid-owner " + user);
                foreach (string group in List(options.ProxyGid)) ExemptProxy("gid", "-m owner", "--gid-owner " + group);
            }
            OwnerGroups();
            if (_dns) RedirectDns();
            Rules.Append(Nat, Output, $"-d {_loopback} -j RETURN");
            foreach (string range in _excluded) Rules.Append(Nat, Output, $"-d {range} -j RETURN");
            foreach (string port in List(options.OutboundPortsInclude)) Rules.Append(Nat, Output, $"-p tcp --dport {port} -j {Redirect}");
            CaptureRanges();
        }

        // A proxy that calls its own workload through a service comes in by the front door; the application's own loopback traffic and
        // everything else the proxy sends are left alone.
        private void ExemptProxy(string kind, string match, string owner)
        {
            string ports = _dns && kind == "uid"
                ? $"-m multiport ! --dports 53,{options.InboundTunnelPort}" : $"! --dport {options.InboundTunnelPort}";
            Rules.Append(Nat, Output, $"-o lo ! -d {_loopback} -p tcp {ports} {match} {owner} -j {InRedirect}");
            if (!CapturesLoopback()) Rules.Append(Nat, Output, $"-o lo {(_dns ? "-p tcp ! --dport 53 " : "")}{match} ! {owner} -j RETURN");
            Rules.Append(Nat, Output, $"{match} {owner} -j RETURN");
        }

        private void OwnerGroups()
        {
            if (options.OwnerGroupsInclude != "*")
            {
                string none = string.Join(' ', List(options.OwnerGroupsInclude).Select(group => $"-m owner ! --gid-owner {group}"));
                Rules.Append(Nat, Output, $"{none} -j RETURN");
                return;
            }
            foreach (string group in List(options.OwnerGroupsExclude)) Rules.Append(Nat, Output, $"-m owner --gid-owner {group} -j RETURN");
        }

        private void RedirectDns()
        {
            if (!options.CaptureAllDns && _resolvers.Count == 0) return;
            Rules.Append(Nat, Output, $"-j {OutputDns}");
            foreach (string to in options.CaptureAllDns ? [""] : _resolvers.Select(r => $" -d {r}/{(v6 ? 128 : 32)}"))
                Rules.Append(Nat, OutputDns, $"-p tcp --dport 53{to} -j REDIRECT --to-ports 15053");
            foreach (string to in options.CaptureAllDns ? [""] : _resolvers.Select(r => $" -d {r}/{(v6 ? 128 : 32)}"))
                Rules.Append(Nat, OutputDns, $"-p udp --dport 53{to} -j REDIRECT --to-port 15053");
        }

        private void CaptureRanges()
        {
            if (options.OutboundIPRangesInclude == "*")
            {
                Rules.Append(Nat, Output, $"-j {Redirect}");
                foreach (string nic in List(options.RerouteVirtualInterfaces))
                    Rules.Insert(Nat, "PREROUTING", 1, $"-i {nic} -j {Redirect}");
                return;
            }
            foreach (string range in _included)
            {
                foreach (string nic in List(options.RerouteVirtualInterfaces))
                    Rules.Insert(Nat, "PREROUTING", 1, $"-i {nic} -d {range} -j {Redirect}");
                Rules.Append(Nat, Output, $"-d {range} -j {Redirect}");
            }
        }

        // The agent's own queries and the application's may leave from one source port: in one zone conntrack would take them for one flow.
        private void SeparateDnsConnections()
        {
            Rules.Append(Raw, "OUTPUT", $"-j {OutputDns}");
            IEnumerable<string> proxy = options.ProxyMark.Length > 0 ? [$"-m mark --mark {options.ProxyMark}"]
                : List(options.ProxyUid).Select(user => $"-m owner --uid-owner {user}")
                    .Concat(List(options.ProxyGid).Select(group => $"-m owner --gid-owner {group}"));
            foreach (string owner in proxy)
            {
                Rules.Append(Raw, OutputDns, $"-p udp --dport 53 {owner} -j CT --zone 1");
                Rules.Append(Raw, OutputDns, $"-p udp --sport 15053 {owner} -j CT --zone 2");
            }
            if (options.CaptureAllDns)
            {
                Rules.Append(Raw, "PREROUTING", $"-j {Inbound}");
                Rules.Append(Raw, OutputDns, "-p udp --dport 53 -j CT --zone 2");
                Rules.Append(Raw, Inbound, "-p udp --sport 53 -j CT --zone 1");
            }
            else if (_resolvers.Count > 0)
            {
                Rules.Append(Raw, "PREROUTING", $"-j {Inbound}");
                foreach (string resolver in _resolvers)
                {
                    string host = $"{resolver}/{(v6 ? 128 : 32)}";
                    Rules.Append(Raw, OutputDns, $"-p udp --dport 53 -d {host} -j CT --zone 2");
                    Rules.Append(Raw, Inbound, $"-p udp --sport 53 -s {host} -j CT --zone 1");
                }
            }
        }

        // A transparent connection's mark is kept on the connection, so that answers find the way back through the routing table.
        private void KeepMarks()
        {
            string mark = options.InboundTProxyMark, own = (long.Parse(mark) + 1).ToString();
            Rules.Append(Mangle, "PREROUTING", $"-p tcp -m mark --mark {mark} -j CONNMARK --save-mark");
            Rules.Append(Mangle, "OUTPUT", $"-p tcp -o lo -m mark --mark {mark} -j RETURN");
            foreach (string user in List(options.ProxyUid))
                Rules.Append(Mangle, "OUTPUT", $"! -d {_loopback} -p tcp -o lo -m owner --uid-owner {user} -j MARK --set-mark {own}");
            foreach (string group in List(options.ProxyGid))
                Rules.Append(Mangle, "OUTPUT", $"! -d {_loopback} -p tcp -o lo -m owner --gid-owner {group} -j MARK --set-mark {own}");
            Rules.Append(Mangle, "OUTPUT", $"-p tcp -m connmark --mark {mark} -j CONNMARK --restore-mark");
        }

        private void ExemptTransparent()
        {
            if (!_transparent) return;
            string mark = options.InboundTProxyMark, own = (long.Parse(mark) + 1).ToString();
            Rules.Insert(Mangle, Inbound, 1, $"-p tcp -m mark --mark {mark} -j RETURN");
            Rules.Insert(Mangle, Inbound, 2, $"-p tcp -s {_passthrough} -i lo -j RETURN");
            Rules.Insert(Mangle, Inbound, 3, $"-p tcp -i lo -m mark ! --mark {own} -j RETURN");
        }

        private bool CapturesLoopback() => options.OutboundIPRangesInclude != "*"
            && _included.Any(range => IPNetwork.TryParse(range, out IPNetwork network) && IPAddress.IsLoopback(network.BaseAddress));

        private static string[] Ranges(string commas, bool v6) =>
            commas == "*" ? [] : List(commas).Where(range => range.Contains(':') == v6).ToArray();
    }
}
