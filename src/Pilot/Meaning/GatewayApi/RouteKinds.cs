using Kubernetes.Gateway.V1;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>Kinds of routes that a listener takes: by what it speaks, and of these what it says.</summary>
internal static class RouteKinds
{
    /// <summary>The kinds, and whether everything that the listener names is among what it can take.</summary>
    public static (IReadOnlyList<string> Kinds, bool IsValid) Of(Listener listener)
    {
        string[] spoken = listener.Protocol switch
        {
            "HTTP" or "HTTPS" => ["HTTPRoute", "GRPCRoute"],
            "TCP" => ["TCPRoute"],
            // Terminating is the schema's own default.
            "TLS" => listener.Tls is null or { HasMode: true, Mode: "Passthrough" } ? ["TLSRoute"] : ["TLSRoute", "TCPRoute"],
            _ => [],
        };
        if (listener.AllowedRoutes?.Kinds is not { Count: > 0 } named) return (spoken, true);
        string[] both = [.. spoken.Where(
            kind => named.Any(entry => entry.Kind == kind && (!entry.HasGroup || entry.Group == GatewayApiWorld.Group)))];
        return (both, both.Length == named.Count);
    }
}
