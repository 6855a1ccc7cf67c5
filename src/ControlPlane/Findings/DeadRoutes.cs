using Google.Protobuf;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Config.Validation;
using Lateen.Config.Validation.Routing;
using Lateen.ControlPlane.Findings.Rivals;
using GatewayApi = Kubernetes.Gateway.V1;

namespace Lateen.ControlPlane.Findings;

/// <summary>Routes and destinations of one resource that no request can come to, because of what stands before them in it.</summary>
public static class DeadRoutes
{
    /// <summary>What is to be said about a resource; nothing about kinds without routes.</summary>
    public static IEnumerable<Diagnostic> Of(Resource resource) => resource switch
    {
        Resource<VirtualService> service => Shadowed(service).Concat(Weightless(service)),
        Resource<GatewayApi.HTTPRoute> { Spec.Spec: { } spec } =>
            Repeated(resource,
                spec.Rules.Select(rule => rule.Matches.Select(match => DeterministicBytes.Of(RivalRoutes.Complete(match))).ToList()))
                .Concat(Weightless(resource,
                    spec.Rules.Select(rule => rule.BackendRefs.Select(backend => backend is { HasWeight: true, Weight: 0 }).ToList()))),
        Resource<GatewayApi.GRPCRoute> { Spec.Spec: { } spec } =>
            Repeated(resource, spec.Rules.Select(rule => rule.Matches.Select(DeterministicBytes.Of).ToList()))
                .Concat(Weightless(resource,
                    spec.Rules.Select(rule => rule.BackendRefs.Select(backend => backend is { HasWeight: true, Weight: 0 }).ToList()))),
        _ => [],
    };

    private static IEnumerable<Diagnostic> Shadowed(Resource<VirtualService> service) =>
        Shadowed(service, "http", service.Spec.Http.Select(route => route.Match), MatchCover.Covers)
            .Concat(Shadowed(service, "tls", service.Spec.Tls.Select(route => route.Match), MatchCover.Covers))
            .Concat(Shadowed(service, "tcp", service.Spec.Tcp.Select(route => route.Match), MatchCover.Covers));

    private static IEnumerable<Diagnostic> Shadowed<T>(Resource resource, string list, IEnumerable<IReadOnlyList<T>> routes,
        Func<T, T, bool> covers) where T : new()
    {
        var before = new List<(T Match, string Path)>();
        int at = -1;
        foreach (IReadOnlyList<T> matches in routes)
        {
            string route = $"spec.{list}[{++at}]";
            // A route without a match takes everything.
            (T Match, string Path)[] own = matches.Count == 0
                ? [(new T(), route)] : [.. matches.Select((match, j) => (match, $"{route}.match[{j}]"))];
            foreach ((T match, string path) in own)
            {
                if (before.Find(earlier => covers(earlier.Match, match)) is { Path: { } cover })
                    yield return Dead(resource, path,
                        $"is never reached: {cover}{Place(resource, cover)} takes all that it matches before it");
                else before.Add((match, path));
            }
        }
    }

    private static IEnumerable<Diagnostic> Repeated(Resource resource, IEnumerable<List<ByteString>> rules)
    {
        var before = new Dictionary<ByteString, string>();
        int at = -1;
        foreach (List<ByteString> matches in rules)
        {
            at++;
            for (int j = 0; j < matches.Count; j++)
            {
                string path = $"spec.rules[{at}].matches[{j}]";
                if (!before.TryAdd(matches[j], path))
                    yield return Dead(resource, path,
                        $"is never reached: {before[matches[j]]}{Place(resource, before[matches[j]])} matches the same before it");
            }
        }
    }

    private static IEnumerable<Diagnostic> Weightless(Resource<VirtualService> service) =>
        Weightless(service, "http", service.Spec.Http.Select(route => route.Route.Select(to => to.Weight).ToList()))
            .Concat(Weightless(service, "tls", service.Spec.Tls.Select(route => route.Route.Select(to => to.Weight).ToList())))
            .Concat(Weightless(service, "tcp", service.Spec.Tcp.Select(route => route.Route.Select(to => to.Weight).ToList())));

    // The only destination gets everything, whatever its weight.
    private static IEnumerable<Diagnostic> Weightless(Resource resource, string list, IEnumerable<List<int>> routes) =>
        routes.SelectMany((weights, i) => weights
            .Select((weight, j) => (weight, j)).Where(to => weights.Count > 1 && to.weight == 0)
            .Select(to => Dead(resource, $"spec.{list}[{i}].route[{to.j}]", "gets no traffic: its weight is 0", DiagnosticLevel.Info)));

    private static IEnumerable<Diagnostic> Weightless(Resource resource, IEnumerable<List<bool>> rules) =>
        rules.SelectMany((backends, i) => backends
            .Select((isWeightless, j) => (isWeightless, j)).Where(to => to.isWeightless)
            .Select(
                to => Dead(resource, $"spec.rules[{i}].backendRefs[{to.j}]", "gets no traffic: its weight is 0", DiagnosticLevel.Info)));

    private static string Place(Resource resource, string path) =>
        resource.PositionOf(path) is { File.Length: > 0 } at ? $" ({at.File}:{at.Line})" : "";

    private static Diagnostic Dead(Resource resource, string path, string text, DiagnosticLevel level = DiagnosticLevel.Warning) => new()
    {
        Code = ValidationCodes.Unreachable,
        Level = level,
        Text = text,
        Path = path,
        Position = resource.PositionOf(path),
        Resource = resource.Key.ToString(),
        Remedy = ValidationCodes.Unreachable.Remedy,
    };
}
