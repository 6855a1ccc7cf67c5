using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Lateen.Config.Validation.Routing;

namespace Lateen.ControlPlane.Findings.Rivals;

/// <summary>VirtualServices for one host of one gateway: their routes stand one behind the other, oldest first, those without a condition
/// last. What an earlier one takes, a later one never sees.</summary>
internal static class RivalMatches
{
    private static readonly HTTPMatchRequest Any = new();

    private readonly record struct Row(Resource<VirtualService> Service, string Path, HTTPMatchRequest Match);

    public static IEnumerable<Rivalry> Find(IReadOnlyList<Resource<VirtualService>> ordered, string domain)
    {
        var claims = ordered.SelectMany(service => service.Spec.Gateways.Where(gateway => gateway != "mesh")
            .Select(gateway => Full(gateway, service.Namespace)).Distinct()
            .SelectMany(gateway => service.Spec.Hosts.Select(
                host => (Gateway: gateway, Host: HostNames.Resolve(host, service.Namespace, domain), Service: service))));
        var told = new HashSet<(ResourceKey, string)>();
        foreach (var meeting in claims.GroupBy(claim => (claim.Gateway, claim.Host)))
        {
            Resource<VirtualService>[] services = [.. meeting.Select(claim => claim.Service).Distinct()];
            if (services.Length < 2) continue;
            Row[] rows = [.. services.SelectMany(service => Rows(service, meeting.Key.Gateway))];
            foreach ((Row winner, Row loser) in Taken(rows))
            {
                if (!told.Add((loser.Service.Key, loser.Path))) continue;
                string rule =
                    $"at a gateway the routes of one host are tried one after the other, "
                    + $"and {Rivalry.ByAge(winner.Service, loser.Service)} first";
                yield return Rivalry.Of(OperatorCodes.MatchTaken, new Claim(winner.Service, winner.Path),
                    new Claim(loser.Service, loser.Path),
                    $"what {loser.Path} matches for host \"{meeting.Key.Host}\" of gateway {meeting.Key.Gateway}", rule);
            }
        }
    }

    private static IEnumerable<(Row Winner, Row Loser)> Taken(Row[] rows)
    {
        for (int later = 1; later < rows.Length; later++)
        {
            for (int earlier = 0; earlier < later; earlier++)
            {
                if (rows[earlier].Service == rows[later].Service || !Takes(rows[earlier].Match, rows[later].Match)) continue;
                yield return (rows[earlier], rows[later]);
                break;
            }
        }
    }

    // One that takes everything is moved behind all others, so that only its like comes too late.
    private static bool Takes(HTTPMatchRequest earlier, HTTPMatchRequest later) =>
        MatchCover.Covers(earlier, later) && (!MatchCover.IsCatchAll(earlier) || MatchCover.IsCatchAll(later));

    private static IEnumerable<Row> Rows(Resource<VirtualService> service, string gateway)
    {
        for (int i = 0; i < service.Spec.Http.Count; i++)
        {
            HTTPRoute route = service.Spec.Http[i];
            if (route.Match.Count == 0) yield return new Row(service, $"spec.http[{i}]", Any);
            for (int j = 0; j < route.Match.Count; j++)
            {
                HTTPMatchRequest match = route.Match[j];
                if (match.Gateways.Count > 0 && !match.Gateways.Any(named => Full(named, service.Namespace) == gateway)) continue;
                yield return new Row(service, $"spec.http[{i}].match[{j}]", Here(match));
            }
        }
    }

    private static HTTPMatchRequest Here(HTTPMatchRequest match)
    {
        if (match.Gateways.Count == 0) return match;
        HTTPMatchRequest here = match.Clone();
        here.Gateways.Clear();
        return here;
    }

    private static string Full(string gateway, string ns) => gateway.Contains('/') || gateway == "mesh" ? gateway : $"{ns}/{gateway}";
}
