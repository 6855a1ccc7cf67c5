using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Traffic;

/// <summary>Gateway and its servers.</summary>
internal static class GatewayRules
{
    public static void Check(Findings f, Gateway gateway)
    {
        f.ErrorIf(gateway.Servers.Count == 0, Codes.Required, "spec.servers", "gateway must have at least one server");
        var names = new HashSet<string>();
        for (var i = 0; i < gateway.Servers.Count; i++)
        {
            var (server, path) = (gateway.Servers[i], $"spec.servers[{i}]");
            Server(f, path, server);
            var name = server.Port?.Name ?? "";
            f.ErrorIf(name.Length > 0 && !names.Add(name), Codes.Duplicate, path + ".port.name",
                $"port names in servers must be unique: duplicate name {name}");
        }

        Rules.SelectorLabels(f, "spec.selector", gateway.Selector);
    }

    public static void Server(Findings f, string path, Server server)
    {
        f.ErrorIf(server.Hosts.Count == 0, Codes.Required, path + ".hosts", "server config must contain at least one host");
        foreach (var host in server.Hosts) Host(f, path + ".hosts", host);
        Port(f, path, server.Port, server.Bind);
        Bind(f, path, server);
        if (server.Tls is not null) ServerTlsRules.Check(f, path + ".tls", server.Tls);
        var protocol = Protocols.Parse(server.Port?.Protocol ?? "");
        if (protocol.IsTls())
        {
            f.ErrorIf(server.Tls is null, Codes.ServerTls, path, "server must have TLS settings for HTTPS/TLS protocols");
            f.WarnIf(server.Tls is { HttpsRedirect: true }, Codes.ServerTlsUnused, path + ".tls.httpsRedirect",
                "tls.httpsRedirect should only be used with http servers");
        }
        else if (server.Tls is not null)
        {
            var onlyRedirects = server.Tls.Equals(new ServerTLSSettings { HttpsRedirect = true }) && protocol.IsHttp();
            f.ErrorIf(!onlyRedirects && !server.Tls.Equals(new ServerTLSSettings()), Codes.ServerTls, path + ".tls",
                "server cannot have TLS settings for non HTTPS/TLS ports");
        }
    }

    /// <summary><c>[namespace/]host</c>; the host is a domain with an optional star as its first label, or an address.</summary>
    private static void Host(Findings f, string path, string host)
    {
        var slash = host.IndexOf('/', StringComparison.Ordinal);
        var name = host[(slash + 1)..];
        if (slash >= 0)
        {
            var ns = host[..slash];
            f.ErrorIf(ns is not ("*" or ".") && !NameRules.IsLabel(ns), Codes.BadHost, path,
                $"invalid namespace value \"{ns}\" in \"{host}\"");
        }

        if (NameRules.WildcardDomain(name) is { } reason) f.ErrorIf(!NameRules.IsAddress(name), Codes.BadHost, path, reason);
        else
            f.ErrorIf(name.Length > 1 && name[0] == '*' && name[1] != '.', Codes.BadHost, path, $"partial wildcard \"{name}\" not allowed");
    }

    public static void Port(Findings f, string path, Port? port, string bind)
    {
        if (port is null)
        {
            f.Error(Codes.Required, path + ".port", "port is required");
            return;
        }

        var protocol = Protocols.Parse(port.Protocol);
        f.ErrorIf(protocol is Protocol.Unsupported or Protocol.Udp, Codes.BadPort, path + ".port.protocol",
            $"invalid protocol \"{port.Protocol}\", supported protocols are HTTP, HTTP2, HTTPS, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, "
            + $"TCP, TLS");
        if (port.Number > 0 || !Rules.IsUnix(bind)) Rules.Port(f, path + ".port.number", port.Number);
        f.ErrorIf(port.Name.Length == 0, Codes.BadPort, path + ".port.name", "port name must be set");
        f.ErrorIf(port.TargetPort > 0, Codes.BadPort, path + ".port.targetPort", "targetPort has no effect on a gateway");
    }

    private static void Bind(Findings f, string path, Server server)
    {
        if (server.Bind.Length == 0) return;
        if (!Rules.IsUnix(server.Bind))
        {
            f.ErrorIf(!NameRules.IsAddress(server.Bind), Codes.BadAddress, path + ".bind", $"\"{server.Bind}\" is not a valid IP address");
            return;
        }

        f.ErrorIf(Rules.UnixAddress(server.Bind), Codes.BadAddress, path + ".bind");
        f.ErrorIf(server.Port is { Number: not 0 }, Codes.BadPort, path + ".port.number", "port number must be 0 for unix domain socket");
    }
}
