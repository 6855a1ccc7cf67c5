using Google.Protobuf;
using Kubernetes.Gateway.V1;
using Lateen.Api.Documents;
using Lateen.Config.Resources;

namespace Lateen.ControlPlane.Findings.Rivals;

/// <summary>HTTPRoutes and GRPCRoutes of one parent that match the same requests for the same host. Which of several matches is the
/// narrowest decides first; of equal ones the oldest route.</summary>
internal static class RivalRoutes
{
    private const string Anything = "*";

    private readonly record struct Row(Resource Route, string Path, string Parent, string Section, string Host, ByteString Match);

    public static IEnumerable<Rivalry> Find(IReadOnlyList<Resource<HTTPRoute>> http, IReadOnlyList<Resource<GRPCRoute>> grpc) =>
        Among(http.SelectMany(Rows)).Concat(Among(grpc.SelectMany(Rows)));

    /// <summary>A match of a route with what it leaves out filled in.</summary>
    public static HTTPRouteMatch Complete(HTTPRouteMatch match)
    {
        HTTPRouteMatch whole = match.Clone();
        whole.Path ??= new HTTPPathMatch();
        if (!whole.Path.HasType) whole.Path.Type = "PathPrefix";
        if (!whole.Path.HasValue) whole.Path.Value = "/";
        foreach (HTTPValueMatch header in whole.Headers) header.Name = header.Name.ToLowerInvariant();
        return whole;
    }

    private static IEnumerable<Rivalry> Among(IEnumerable<Row> rows)
    {
        var told = new HashSet<(ResourceKey, string)>();
        foreach (var same in rows.GroupBy(row => (row.Parent, row.Host, row.Match)))
        {
            Row[] ordered = [.. same.OrderBy(row => row.Route.Metadata.CreationTime)
                .ThenBy(row => row.Route.Namespace, StringComparer.Ordinal).ThenBy(row => row.Route.Name, StringComparer.Ordinal)];
            foreach (Row later in ordered.Skip(1))
            {
                Row winner = Array.Find(ordered,
                    row => row.Section.Length == 0 || later.Section.Length == 0 || row.Section == later.Section);
                if (winner.Route == later.Route || !told.Add((later.Route.Key, later.Path))) continue;
                string rule = winner.Route.Metadata.CreationTime != later.Route.Metadata.CreationTime
                    ? "of equal matches the older route does"
                    : "of equal matches of one age the route whose namespace and name come first does";
                string host = later.Host == Anything ? "any host" : $"host \"{later.Host}\"";
                yield return Rivalry.Of(OperatorCodes.MatchTaken, new Claim(winner.Route, winner.Path), new Claim(later.Route, later.Path),
                    $"what {later.Path} matches for {host} at {later.Parent}", rule);
            }
        }
    }

    private static IEnumerable<Row> Rows(Resource<HTTPRoute> route) =>
        route.Spec.Spec is not { } spec ? [] : Spread(route, spec.ParentRefs, spec.Hostnames,
            spec.Rules.SelectMany((rule, i) =>
                Matches(rule.Matches.Select(match => DeterministicBytes.Of(Complete(match))),
                    DeterministicBytes.Of(Complete(new HTTPRouteMatch())), i)));

    private static IEnumerable<Row> Rows(Resource<GRPCRoute> route) =>
        route.Spec.Spec is not { } spec ? [] : Spread(route, spec.ParentRefs, spec.Hostnames,
            spec.Rules.SelectMany((rule, i) => Matches(rule.Matches.Select(DeterministicBytes.Of), ByteString.Empty, i)));

    private static IEnumerable<(string Path, ByteString Match)> Matches(IEnumerable<ByteString> matches, ByteString any, int rule)
    {
        int count = 0;
        foreach (ByteString match in matches) yield return ($"spec.rules[{rule}].matches[{count++}]", match);
        if (count == 0) yield return ($"spec.rules[{rule}]", any);
    }

    private static IEnumerable<Row> Spread(Resource route, IEnumerable<ParentReference> parents, IReadOnlyList<string> hosts,
        IEnumerable<(string Path, ByteString Match)> matches)
    {
        (string Path, ByteString Match)[] all = [.. matches];
        return from parent in parents from host in hosts.Count > 0 ? hosts : [Anything] from row in all
            select new Row(route, row.Path, Spelled(parent, route.Namespace), parent.SectionName, host, row.Match);
    }

    private static string Spelled(ParentReference parent, string ns) =>
        $"{(parent.HasKind ? parent.Kind : "Gateway")} {(parent is { HasNamespace: true, Namespace.Length: > 0 } ? parent.Namespace : ns)}/{parent.Name}{(parent.HasPort ? $":{parent.Port}" : "")}";
}
