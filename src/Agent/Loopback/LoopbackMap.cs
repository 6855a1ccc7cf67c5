// Loopback: capture without privileges, for machines that allow no network namespaces. Workloads share the loopback interface, each with
// two addresses of 127/8: one is its sidecar's and known to the mesh, the other its program's. Nothing redirects connections here, so the
// proxies of such a mesh agree on where they really meet: whoever calls port 9080 of a workload connects to its sidecar's port 29080,
// and the sidecar connects to port 9080 of the program. A program may then listen on all addresses without being in its sidecar's way.
//
// Configuration knows nothing of it: addresses are changed below the proxy, where it listens and connects.
using System.Net;
using Lateen.Proxy.Net;

namespace Lateen.Agent.Loopback;

/// <summary>Where the proxies of a loopback mesh really listen and connect.</summary>
/// <param name="Workloads">The addresses of workloads.</param>
/// <param name="Own">This workload's address; none for a gateway.</param>
/// <param name="Program">Its program's address; none for a gateway.</param>
/// <param name="Ports">The ports of its program.</param>
public sealed record LoopbackMap(IPNetwork Workloads, Address Own, Address Program, IReadOnlyList<int> Ports)
{
    /// <summary>The port on which captured inbound traffic arrives elsewhere; its listener takes the program's ports here.</summary>
    public const int InboundCapturePort = 15006;

    private const int Shift = 20_000, LastPort = 65_535;

    /// <summary>The map of an agent, or null where capture is not by loopback.</summary>
    public static LoopbackMap? Of(AgentOptions options)
    {
        if (options.Workloads is not { } workloads) return null;
        return new LoopbackMap(workloads, Parse(options.Bind), Parse(options.Program), options.ProgramPorts);
    }

    /// <summary>The port of a sidecar that stands for a port of its workload.</summary>
    public static int Meeting(int port) => port + Shift <= LastPort ? port + Shift : port - Shift;

    /// <summary>Where to listen in place of <paramref name="asked"/>.</summary>
    public Address Listening(in Address asked) =>
        Own.Kind == AddressKind.V4 && asked.Kind == AddressKind.V4 && (asked.IsAny || asked.Host == "127.0.0.1")
            ? Own.WithPort(asked.Port) : asked;

    /// <summary>How to connect in place of <paramref name="asked"/>.</summary>
    public ConnectOptions Connecting(in ConnectOptions asked)
    {
        Address to = asked.Remote;
        if (to.Kind != AddressKind.V4 || !Workloads.Contains(to.ToIPAddress())) return asked;
        // From the address of inbound passthrough: the sidecar hands over to its own program.
        if (asked.Source.Kind == AddressKind.V4 && asked.Source.Host == "127.0.0.6")
            return asked with { Remote = Program.WithPort(to.Port) };
        return asked with
        {
            Remote = to.WithPort(Meeting(to.Port)),
            Source = asked.Source.Kind == AddressKind.None && Own.Kind == AddressKind.V4 ? Own.WithPort(0) : asked.Source,
        };
    }

    private static Address Parse(string? text) => text is not null && Address.TryParse(text, 0, out Address address) ? address : default;
}
