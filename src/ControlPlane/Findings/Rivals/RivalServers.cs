using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Pilot.Scope.Gateways;

namespace Lateen.ControlPlane.Findings.Rivals;

/// <summary>Servers of Gateways that cannot be served side by side: one port with two protocols, one name for two certificates.</summary>
internal static class RivalServers
{
    public static IEnumerable<Rivalry> Find(IReadOnlyList<Resource<Gateway>> ordered)
    {
        Dictionary<(string, string), Resource<Gateway>> written = ordered.ToDictionary(gateway => (gateway.Namespace, gateway.Name));
        foreach (ServerConflict conflict in GatewayConflicts.Of(ordered))
        {
            (Claim winner, Claim loser) = (ClaimOf(conflict.Winner, written), ClaimOf(conflict.Loser, written));
            string rule = winner.Resource == loser.Resource
                ? "the first server of a Gateway does" : Rivalry.ByAge(winner.Resource, loser.Resource);
            yield return Rivalry.Of(OperatorCodes.ServerTaken, winner, loser,
                $"the server on port {conflict.Loser.Number} ({conflict.Reason})", rule);
        }
    }

    private static Claim ClaimOf(GatewayServer server, Dictionary<(string, string), Resource<Gateway>> written) =>
        new(written[(server.Gateway.Origin.Namespace, server.Gateway.Origin.Name)], $"spec.servers[{server.Index}]");
}
