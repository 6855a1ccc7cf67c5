using Envoy.Config.Core.V3;
using Google.Protobuf.Collections;
using Istio.Networking.V1Alpha3;
using AppendAction = Envoy.Config.Core.V3.HeaderValueOption.Types.HeaderAppendAction;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>The header changes of a route or a destination.</summary>
/// <param name="RequestAdd">Headers set, then headers added, each group by name.</param>
/// <param name="RequestRemove">Names.</param>
/// <param name="ResponseAdd">As for requests.</param>
/// <param name="ResponseRemove">Names.</param>
/// <param name="Authority">The host that <c>set</c> (or else <c>add</c>) of <c>:authority</c> or <c>host</c> asks for; empty when there is
/// none.</param>
internal sealed record HeaderOperations(
    IReadOnlyList<HeaderValueOption> RequestAdd,
    IReadOnlyList<string> RequestRemove,
    IReadOnlyList<HeaderValueOption> ResponseAdd,
    IReadOnlyList<string> ResponseRemove,
    string Authority)
{
    /// <summary>Nothing to change.</summary>
    public static readonly HeaderOperations None = new([], [], [], [], "");

    /// <summary>Reads the <c>headers</c> of a rule.</summary>
    public static HeaderOperations Of(Headers? headers)
    {
        if (headers is null) return None;
        var request = headers.Request ?? new Headers.Types.HeaderOperations();
        var response = headers.Response ?? new Headers.Types.HeaderOperations();
        var set = AuthorityIn(request.Set);
        return new HeaderOperations(
            [.. Options(request.Set, AppendAction.OverwriteIfExistsOrAdd), .. Options(request.Add, AppendAction.AppendIfExistsOrAdd)],
            [.. request.Remove.Where(static name => !IsPseudo(name))],
            [.. Options(response.Set, AppendAction.OverwriteIfExistsOrAdd), .. Options(response.Add, AppendAction.AppendIfExistsOrAdd)],
            [.. response.Remove.Where(static name => !IsPseudo(name))],
            set.Length > 0 ? set : AuthorityIn(request.Add));
    }

    /// <summary>Puts the changes into a route, behind those that are there.</summary>
    public void AppendTo(Envoy.Config.Route.V3.Route route)
    {
        route.RequestHeadersToAdd.Add(RequestAdd);
        route.RequestHeadersToRemove.Add(RequestRemove);
        route.ResponseHeadersToAdd.Add(ResponseAdd);
        route.ResponseHeadersToRemove.Add(ResponseRemove);
    }

    /// <summary>Puts the changes into one choice of a weighted destination.</summary>
    public void AppendTo(Envoy.Config.Route.V3.WeightedCluster.Types.ClusterWeight choice)
    {
        choice.RequestHeadersToAdd.Add(RequestAdd);
        choice.RequestHeadersToRemove.Add(RequestRemove);
        choice.ResponseHeadersToAdd.Add(ResponseAdd);
        choice.ResponseHeadersToRemove.Add(ResponseRemove);
        if (Authority.Length > 0) choice.HostRewriteLiteral = Authority;
    }

    private static IEnumerable<HeaderValueOption> Options(MapField<string, string> headers, AppendAction action) =>
        headers.Where(static header => !IsPseudo(header.Key))
            .OrderBy(static header => header.Key, StringComparer.Ordinal)
            .Select(header => new HeaderValueOption
            {
                Header = new HeaderValue { Key = header.Key, Value = header.Value },
                AppendAction = action,
            });

    // Envoy refuses to change pseudo headers and Host; the authority is rewritten by the route action instead.
    private static bool IsPseudo(string name) => name.StartsWith(':') || name.Equals("host", StringComparison.OrdinalIgnoreCase);

    private static string AuthorityIn(MapField<string, string> headers) =>
        headers.Where(static header => header.Key.Equals(":authority", StringComparison.OrdinalIgnoreCase)
            || header.Key.Equals("host", StringComparison.OrdinalIgnoreCase))
            .OrderBy(static header => header.Key, StringComparer.Ordinal)
            .Select(static header => header.Value)
            .LastOrDefault("");
}
