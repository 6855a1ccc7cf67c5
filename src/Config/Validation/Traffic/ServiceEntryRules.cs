using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;
using How = Istio.Networking.V1Alpha3.ServiceEntry.Types.Resolution;

namespace Lateen.Config.Validation.Traffic;

/// <summary>ServiceEntry.</summary>
internal static class ServiceEntryRules
{
    public static void Check(Findings f, ServiceEntry entry, string ns, bool usesWaypoint)
    {
        f.ErrorIf(entry.WorkloadSelector is not null && entry.Endpoints.Count > 0, Codes.Exclusive, "spec",
            "only one of WorkloadSelector or Endpoints is allowed in Service Entry");
        if (entry.WorkloadSelector is { } selector)
        {
            Rules.SelectorLabels(f, "spec.workloadSelector.labels", selector.Labels);
            f.WarnIf(selector.Labels.Count == 0, Codes.EmptySelector, "spec.workloadSelector",
                "service entry: workload selector specified without labels");
            f.WarnIf(entry.Resolution == How.None, Codes.NoEffect, "spec.workloadSelector",
                "workloadSelector should not be set when resolution mode is NONE");
        }

        Hosts(f, entry);
        Addresses(f, entry);
        Ports(f, entry);
        for (var i = 0; i < entry.Endpoints.Count; i++) Endpoint(f, $"spec.endpoints[{i}]", entry, entry.Endpoints[i]);
        ByResolution(f, entry, usesWaypoint);
        var canTellApart = entry.Ports.All(p => Protocols.Parse(p.Protocol) is var protocol && (protocol.IsHttp() || protocol.IsTls()));
        f.ErrorIf(entry.Hosts.Count > 1 && entry.Resolution != How.None && !canTellApart, Codes.Resolution, "spec.hosts",
            "multiple hosts not allowed with non-HTTP, non-TLS ports");
        Rules.ExportTo(f, entry.ExportTo, ns, isServiceEntry: true);
    }

    private static void Hosts(Findings f, ServiceEntry entry)
    {
        f.ErrorIf(entry.Hosts.Count == 0, Codes.Required, "spec.hosts", "service entry must have at least one host");
        for (var i = 0; i < entry.Hosts.Count; i++)
        {
            var (host, path) = (entry.Hosts[i], $"spec.hosts[{i}]");
            f.ErrorIf(host == "*" ? "invalid host *" : NameRules.WildcardDomain(host), Codes.BadHost, path);
            f.WarnIf(host.Length > 1 && host[0] == '*' && host[1] != '.', Codes.PartialWildcard, path, $"partial wildcard \"{host}\"");
        }
    }

    private static void Addresses(Findings f, ServiceEntry entry)
    {
        var hasRange = false;
        foreach (var address in entry.Addresses)
        {
            f.ErrorIf(NameRules.Subnet(address), Codes.BadAddress, "spec.addresses");
            hasRange |= address.Contains('/');
        }

        f.ErrorIf(hasRange && entry.Resolution is not (How.None or How.Static), Codes.Resolution, "spec.addresses",
            "CIDR addresses are allowed only for NONE/STATIC resolution types");
    }

    private static void Ports(Findings f, ServiceEntry entry)
    {
        var (names, numbers) = (new HashSet<string>(), new HashSet<uint>());
        for (var i = 0; i < entry.Ports.Count; i++)
        {
            var (port, path) = (entry.Ports[i], $"spec.ports[{i}]");
            f.ErrorIf(!names.Add(port.Name), Codes.Duplicate, path + ".name", $"service entry port name \"{port.Name}\" already defined");
            f.ErrorIf(!numbers.Add(port.Number), Codes.Duplicate, path + ".number", $"service entry port {port.Number} already defined");
            Rules.PortName(f, path + ".name", port.Name);
            Rules.Port(f, path + ".number", port.Number);
            var protocol = Protocols.Parse(port.Protocol);
            f.ErrorIf(port.Protocol.Length > 0 && protocol is Protocol.Unsupported, Codes.BadPort, path + ".protocol",
                $"unsupported protocol \"{port.Protocol}\"");
            if (port.TargetPort != 0)
            {
                Rules.Port(f, path + ".targetPort", port.TargetPort);
                f.WarnIf(entry.Resolution == How.None, Codes.NoEffect, path + ".targetPort",
                    "targetPort has no effect when resolution mode is NONE");
            }

            f.WarnIf(entry.Addresses.Count == 0 && protocol is Protocol.Unsupported or Protocol.Tcp && entry.Addresses.Count == 0
                && entry.Resolution != How.DynamicDns, Codes.NeedsAddresses, path,
                $"addresses are required for ports serving TCP (or unset) protocol: port {port.Number} captures every address");
        }
    }

    private static void Endpoint(Findings f, string path, ServiceEntry entry, WorkloadEntry endpoint)
    {
        foreach (var (name, number) in endpoint.Ports)
        {
            f.ErrorIf(entry.Ports.All(p => p.Name != name), Codes.BadPort, path + ".ports",
                $"endpoint port {name} is not defined by the service entry");
            Rules.Port(f, path + ".ports", number);
        }

        Rules.Labels(f, path + ".labels", endpoint.Labels);
        var (address, at) = (endpoint.Address, path + ".address");
        if (Rules.IsUnix(address))
        {
            f.ErrorIf(Rules.UnixAddress(address), Codes.BadAddress, at);
            f.ErrorIf(entry.Resolution != How.Static, Codes.Resolution, at, "unix endpoints need resolution STATIC");
            f.ErrorIf(entry.Ports.Count != 1, Codes.Resolution, at, "exactly 1 service port required for unix endpoints");
            f.ErrorIf(endpoint.Ports.Count > 0, Codes.BadPort, path + ".ports", "unix endpoint must not include ports");
            return;
        }

        var hasNone = address.Length == 0 && endpoint.Network.Length > 0;
        f.WarnIf(hasNone, Codes.NoEffect, at, "endpoint without address: reachable through the gateway of its network only");
        switch (entry.Resolution)
        {
            case How.Static when !hasNone:
                f.ErrorIf(!NameRules.IsAddress(address), Codes.BadAddress, at, $"endpoint address \"{address}\" is not a valid IP address");
                break;
            case How.Dns or How.DnsRoundRobin when !hasNone:
                f.ErrorIf(!NameRules.IsAddress(address) && NameRules.Domain(address) is not null, Codes.BadAddress, at,
                    $"endpoint address \"{address}\" is not a valid FQDN or an IP address");
                break;
        }
    }

    private static void ByResolution(Findings f, ServiceEntry entry, bool usesWaypoint)
    {
        switch (entry.Resolution)
        {
            case How.None:
                f.ErrorIf(entry.Endpoints.Count > 0, Codes.Resolution, "spec.endpoints",
                    "no endpoints should be provided for resolution type none");
                break;
            case How.Dns or How.DnsRoundRobin:
                f.ErrorIf(entry.Ports.Count == 0, Codes.Required, "spec.ports", "at least one port is needed to resolve by DNS");
                var wild = entry.Hosts.FirstOrDefault(h => NameRules.Domain(h) is not null);
                f.ErrorIf(entry.Endpoints.Count == 0 && wild is not null && entry.WorkloadSelector is null, Codes.Resolution, "spec.hosts",
                    $"hosts must be FQDN if no endpoints are provided for resolution mode {entry.Resolution}: {wild}");
                f.ErrorIf(entry.Resolution == How.DnsRoundRobin && entry.Endpoints.Count > 1, Codes.Resolution, "spec.endpoints",
                    "there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN");
                f.WarnIf(entry.Resolution == How.DnsRoundRobin && entry.Hosts.Count > 1, Codes.NoEffect, "spec.hosts",
                    "only the first host is resolved with DNS_ROUND_ROBIN");
                break;
            case How.DynamicDns:
                DynamicDns(f, entry, usesWaypoint);
                break;
        }
    }

    private static void DynamicDns(Findings f, ServiceEntry entry, bool usesWaypoint)
    {
        f.ErrorIf(entry.Hosts.Any(h => !HostNames.IsWildcard(h)), Codes.Resolution, "spec.hosts",
            "hosts must be wildcards for resolution mode DYNAMIC_DNS");
        f.ErrorIf(entry.Addresses.Count > 0, Codes.Resolution, "spec.addresses", "addresses cannot be set for resolution mode DYNAMIC_DNS");
        f.ErrorIf(entry.Endpoints.Count > 0 || entry.WorkloadSelector is not null, Codes.Resolution, "spec.endpoints",
            "endpoints cannot be set for resolution mode DYNAMIC_DNS");
        foreach (var port in entry.Ports)
        {
            var allowed = Protocols.Parse(port.Protocol) is Protocol.Http or Protocol.Http2 or Protocol.Grpc or Protocol.Tls
                or Protocol.Https;
            f.ErrorIf(!allowed, Codes.Resolution, "spec.ports",
                $"protocol \"{port.Protocol}\" cannot be used with resolution mode DYNAMIC_DNS: use HTTP, HTTP2, GRPC or TLS");
        }

        f.ErrorIf(entry.Location == ServiceEntry.Types.Location.MeshInternal && usesWaypoint, Codes.Resolution, "spec.location",
            "resolution mode DYNAMIC_DNS with a waypoint needs location MESH_EXTERNAL");
    }
}
