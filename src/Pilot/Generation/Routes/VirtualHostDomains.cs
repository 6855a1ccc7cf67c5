using System.Globalization;
using System.Net;
using Lateen.Pilot.Generation.Filters;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>The names under which a client may ask for a service: full name, short forms, aliases, addresses.</summary>
public static class VirtualHostDomains
{
    /// <summary>Domains of a service's virtual host.</summary>
    /// <param name="Names">In order.</param>
    /// <param name="ShortForms">Those among them that were derived: they give way to a service whose full name is the same.</param>
    public sealed record Set(IReadOnlyList<string> Names, IReadOnlySet<string> ShortForms);

    /// <summary>The domains.</summary>
    /// <param name="service">The service.</param>
    /// <param name="port">Port to append to every name as well; 0 when ports are ignored in host matching.</param>
    /// <param name="clientDomain">DNS domain of the client, <c>namespace.svc.cluster.local</c>.</param>
    /// <param name="addresses">Addresses of the service as the client sees them.</param>
    /// <param name="absolute">Also write names with the dot of the root.</param>
    public static Set Of(Service service, int port, string clientDomain, IEnumerable<string> addresses, bool absolute = true)
    {
        ArgumentNullException.ThrowIfNull(service);
        ArgumentNullException.ThrowIfNull(addresses);
        var names = new List<string>();
        var shortForms = new HashSet<string>(StringComparer.Ordinal);
        foreach (var host in service.Aliases.Select(static a => a.Hostname).Prepend(service.Hostname))
        {
            AddWithPort(names, host, port);
            // Clients that write the root dot to skip the search list mean the same host.
            var derived = absolute && !IPAddress.TryParse(host, out _) ? WithPort(host + ".", port).ToList() : [];
            derived.AddRange(ShortForms(host, port, clientDomain));
            names.AddRange(derived);
            shortForms.UnionWith(derived);
        }
        if (service.IsHeadless) names.AddRange(names.Select(static name => "*." + name).ToArray());
        foreach (var address in addresses)
        {
            if (address.Length > 0 && address != Service.UnspecifiedAddress) AddWithPort(names, address, port);
        }
        return new Set(names, shortForms);
    }

    /// <summary>Shorter names that reach the host from a client of the domain.</summary>
    public static IReadOnlyList<string> ShortForms(string host, int port, string clientDomain)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(clientDomain);
        var result = new List<string>();
        if (!clientDomain.Contains(".svc.", StringComparison.Ordinal))
        {
            AddFormsOfForeignDomain(result, host, port, clientDomain);
            return result;
        }
        // Inside Kubernetes only its own names are shortened: anything else could hide another service's short name.
        var suffix = clientDomain[clientDomain.IndexOf(".svc.", StringComparison.Ordinal)..];
        if (!host.EndsWith(suffix, StringComparison.Ordinal)) return result;
        var end = host.IndexOf(".svc.", StringComparison.Ordinal);
        var dot = host.IndexOf('.', StringComparison.Ordinal);
        if (end <= 0 || dot + 1 > end) return result;
        var withNamespace = host[..end];
        if (host[(dot + 1)..end] == clientDomain[..clientDomain.IndexOf(".svc.", StringComparison.Ordinal)])
        {
            AddWithPort(result, host[..dot], port);
            AddWithPort(result, withNamespace + ".svc", port);
            AddWithPort(result, withNamespace, port);
            return result;
        }
        AddWithPort(result, withNamespace, port);
        AddWithPort(result, withNamespace + ".svc", port);
        return result;
    }

    // The part that host and client do not share, and that with the first label of the shared part.
    private static void AddFormsOfForeignDomain(List<string> result, string host, int port, string clientDomain)
    {
        var hostParts = host.Split('.');
        var clientParts = clientDomain.Split('.');
        var shared = 0;
        while (shared < Math.Min(hostParts.Length, clientParts.Length) && hostParts[^(shared + 1)] == clientParts[^(shared + 1)]) shared++;
        if (shared == 0) return;
        var unique = hostParts[..^shared];
        AddWithPort(result, string.Join('.', unique), port);
        if (unique.Length == 2) AddWithPort(result, string.Join('.', unique) + "." + hostParts[^shared], port);
    }

    private static void AddWithPort(List<string> names, string host, int port) => names.AddRange(WithPort(host, port));

    private static IEnumerable<string> WithPort(string host, int port) =>
        port == 0 ? [Wire.HostText(host)] : [Wire.HostText(host), Wire.HostText(host) + ":" + port.ToString(CultureInfo.InvariantCulture)];
}
