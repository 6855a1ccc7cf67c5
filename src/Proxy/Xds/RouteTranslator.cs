using Envoy.Config.Route.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Routing;
using Core = Envoy.Config.Core.V3;
using RouteMessage = Envoy.Config.Route.V3.Route;
using VirtualHostMessage = Envoy.Config.Route.V3.VirtualHost;

namespace Lateen.Proxy.Xds;

/// <summary>Route configurations (RDS, and those inside connection managers) to <see cref="RouteTable"/>s.</summary>
internal sealed class RouteTranslator(ClusterDirectory clusters, RouteFilterTranslator filters)
{
    private uint _bodyBytesMax = 4096;
    private bool _cutsParameters;

    /// <summary>Values that shares may follow.</summary>
    public RuntimeValues Runtime { get; init; } = RuntimeValues.None;

    /// <summary>Whether there is a cluster of a name, warm or not; null knows them all.</summary>
    public Func<string, bool>? KnowsCluster { get; set; }

    /// <summary>The table; what must not be accepted is in <paramref name="rejections"/>.</summary>
    /// <param name="config">The message.</param>
    /// <param name="rejections">What is wrong with it.</param>
    /// <param name="version">Its version.</param>
    /// <param name="isInline">It stands in its connection manager: its clusters must be there, unless it says otherwise
    /// (validate_clusters).</param>
    public RouteTable Table(RouteConfiguration config, Rejections rejections, string version = "", bool isInline = false)
    {
        _cutsParameters = config.IgnorePathParametersInPathMatching;
        _bodyBytesMax = config.MaxDirectResponseBodySizeBytes ?? 4096;
        List<MirrorPolicy> mirrors = Mirrors(config.RequestMirrorPolicies, rejections);
        Dictionary<string, object> inherited = filters.Settings(config.TypedPerFilterConfig, rejections);
        var hosts = new List<Routing.VirtualHost>();
        for (int i = 0; i < config.VirtualHosts.Count; i++)
        {
            using Rejections.Scope scope = rejections.In($"virtual_hosts[{i}]");
            hosts.Add(Host(config.VirtualHosts[i], mirrors, inherited, rejections));
        }
        CheckDomains(config, rejections);
        if (config.ValidateClusters ?? isInline)
            CheckClusters(config, rejections);
        if (config.ClusterSpecifierPlugins.Count > 0)
            rejections.Add("cluster_specifier_plugins are not served");
        return new RouteTable(config.Name, hosts)
        {
            IgnorePort = config.IgnorePortInHostMatching,
            RequestHeaders = Mutations(config.RequestHeadersToAdd, config.RequestHeadersToRemove, rejections),
            ResponseHeaders = Mutations(config.ResponseHeadersToAdd, config.ResponseHeadersToRemove, rejections),
            MostSpecificWins = config.MostSpecificHeaderMutationsWins,
            InternalOnlyHeaders = [.. config.InternalOnlyHeaders.Select(Bytes)],
            Version = version,
        };
    }

    private void CheckClusters(RouteConfiguration config, Rejections rejections)
    {
        if (KnowsCluster is not { } knows)
            return;
        foreach (RouteMessage route in config.VirtualHosts.SelectMany(h => h.Routes).Where(r => r.Route_ is not null))
        {
            foreach (string name in (route.Route_.WeightedClusters?.Clusters.Select(c => c.Name) ?? []).Append(route.Route_.Cluster)
                .Where(n => n.Length > 0 && !knows(n)))
                rejections.Add($"route: unknown cluster '{name}'");
            foreach (string name in route.Route_.RequestMirrorPolicies.Select(m => m.Cluster).Where(n => n.Length > 0 && !knows(n)))
                rejections.Add($"route: unknown shadow cluster '{name}'");
        }
    }

    private static void CheckDomains(RouteConfiguration config, Rejections rejections)
    {
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (VirtualHostMessage host in config.VirtualHosts)
        {
            foreach (string domain in host.Domains)
            {
                if (!seen.Add(domain))
                {
                    rejections.Add(domain == "*"
                        ? $"Only a single wildcard domain is permitted in route {config.Name}"
                        : $"Only unique values for domains are permitted. Duplicate entry of domain {domain} in route {config.Name}");
                }
            }
        }
    }

    /// <summary>One virtual host (also by VHDS).</summary>
    public Routing.VirtualHost Host(VirtualHostMessage host, List<MirrorPolicy> mirrors, Dictionary<string, object> inherited,
        Rejections rejections)
    {
        if (host.Domains.Count == 0)
            rejections.Add($"virtual host {host.Name} has no domains");
        if (host.Matcher is not null)
            rejections.Add("matcher trees in virtual hosts are not served");
        Dictionary<string, object> settings = Merge(inherited, filters.Settings(host.TypedPerFilterConfig, rejections));
        var level = new HostLevel(host, settings,
            host.RequestMirrorPolicies.Count > 0 ? Mirrors(host.RequestMirrorPolicies, rejections) : mirrors);
        var routes = new List<Routing.Route>();
        for (int i = 0; i < host.Routes.Count; i++)
        {
            using Rejections.Scope scope = rejections.In($"routes[{i}]");
            if (Route(host.Routes[i], level, rejections) is { } route)
                routes.Add(route);
        }
        return new Routing.VirtualHost
        {
            Name = host.Name,
            Domains = [.. host.Domains],
            Routes = routes,
            RequireTls = (TlsRequirement)host.RequireTls,
            RequestHeaders = Mutations(host.RequestHeadersToAdd, host.RequestHeadersToRemove, rejections),
            ResponseHeaders = Mutations(host.ResponseHeadersToAdd, host.ResponseHeadersToRemove, rejections),
            AttemptCountInRequest = host.IncludeRequestAttemptCount,
            AttemptCountInResponse = host.IncludeAttemptCountInResponse,
            TimeoutRetryHeader = host.IncludeIsTimeoutRetryHeader,
            RateLimits = filters.RateLimits(host.RateLimits, rejections),
            Metadata = ValueTranslator.Metadata(host.Metadata),
            VirtualClusters = VirtualClusters(host, rejections),
        };
    }

    private List<Routing.VirtualCluster> VirtualClusters(VirtualHostMessage host, Rejections rejections)
    {
        AnswerStats? Stats(string name) =>
            Statistics is null ? null : new AnswerStats(Statistics, $"vhost.{host.Name.Replace(':', '_')}.vcluster.{name}.");
        List<Routing.VirtualCluster> clusters =
            [.. host.VirtualClusters.Select(
                v => new Routing.VirtualCluster(v.Name, [.. v.Headers.Select(h => MatcherTranslator.Header(h, rejections))],
                    Stats(v.Name)))];
        if (clusters.Count > 0)
            clusters.Add(new Routing.VirtualCluster("other", [], Stats("other")));
        return clusters;
    }

    /// <summary>Where counters of routes are kept; null counts none.</summary>
    public Statistics.StatStore? Statistics { get; init; }

    private sealed record HostLevel(VirtualHostMessage Host, Dictionary<string, object> Settings, List<MirrorPolicy> Mirrors);

    private Routing.Route? Route(RouteMessage route, HostLevel level, Rejections rejections)
    {
        if (route.Match is null)
        {
            rejections.Add("match is required");
            return null;
        }
        Dictionary<string, object> settings = Merge(level.Settings, filters.Settings(route.TypedPerFilterConfig, rejections));
        PathMatch? path = Path(route.Match, rejections, _cutsParameters);
        Routing.RouteAction? action = Action(route, level, settings, rejections);
        if (path is null || action is null)
            return null;
        RouteMatch match = route.Match;
        Metadata metadata = ValueTranslator.Metadata(route.Metadata);
        return new Routing.Route
        {
            Name = route.Name,
            Origin = metadata.Text("istio", "config") ?? "",
            Path = path,
            Headers = [.. match.Headers.Select(h => MatcherTranslator.Header(h, rejections))],
            Query = [.. match.QueryParameters.Select(q => MatcherTranslator.Query(q, rejections))],
            MetadataMatches = [.. match.DynamicMetadata.Select(m => MatcherTranslator.Metadata(m, rejections))],
            GrpcOnly = match.Grpc is not null,
            Tls = match.TlsContext is null ? null : new TlsMatch(match.TlsContext.Presented, match.TlsContext.Validated),
            Share = ValueTranslator.Share(match.RuntimeFraction, Runtime),
            Action = action,
            RequestHeaders = Mutations(route.RequestHeadersToAdd, route.RequestHeadersToRemove, rejections),
            ResponseHeaders = Mutations(route.ResponseHeadersToAdd, route.ResponseHeadersToRemove, rejections),
            Filters = new FilterSettings(settings),
            Metadata = metadata,
            Decorator = route.Decorator is null
                ? null : new Routing.Decorator(route.Decorator.Operation, route.Decorator.Propagate ?? true),
            Tracing = Sampling(route.Tracing, rejections),
            BufferBytesMax = route.PerRequestBufferLimitBytes ?? level.Host.PerRequestBufferLimitBytes,
            StatPrefix = route.StatPrefix,
            Stats = route.StatPrefix.Length > 0 && Statistics is not null
                ? new AnswerStats(Statistics, $"vhost.{level.Host.Name.Replace(':', '_')}.route.{route.StatPrefix}.") : null,
        };
    }

    private static TracingSettings? Sampling(Envoy.Config.Route.V3.Tracing? tracing, Rejections rejections) =>
        tracing is null ? null : new TracingSettings(
            tracing.ClientSampling is null ? null : ValueTranslator.Fraction(tracing.ClientSampling, Fraction.All),
            tracing.RandomSampling is null ? null : ValueTranslator.Fraction(tracing.RandomSampling, Fraction.All),
            tracing.OverallSampling is null
                ? null : ValueTranslator.Fraction(tracing.OverallSampling,
                    Fraction.All)) { Tags = TracingTranslator.Tags(tracing.CustomTags, rejections) };

    /// <summary>The test of a path; null with a rejection.</summary>
    internal static PathMatch? Path(RouteMatch match, Rejections rejections, bool cutsParameters = false)
    {
        bool ignoreCase = !(match.CaseSensitive ?? true);
        try
        {
            switch (match.PathSpecifierCase)
            {
                case RouteMatch.PathSpecifierOneofCase.Prefix:
                    return new PathMatch(PathMatchKind.Prefix, match.Prefix, ignoreCase) { CutsParameters = cutsParameters };
                case RouteMatch.PathSpecifierOneofCase.Path:
                    return new PathMatch(PathMatchKind.Exact, match.Path, ignoreCase) { CutsParameters = cutsParameters };
                case RouteMatch.PathSpecifierOneofCase.PathSeparatedPrefix:
                    return new PathMatch(PathMatchKind.SeparatedPrefix, match.PathSeparatedPrefix,
                        ignoreCase) { CutsParameters = cutsParameters };
                case RouteMatch.PathSpecifierOneofCase.SafeRegex:
                    return new PathMatch(PathMatchKind.Regex, match.SafeRegex.Regex) { CutsParameters = cutsParameters };
                case RouteMatch.PathSpecifierOneofCase.ConnectMatcher:
                    return new PathMatch(PathMatchKind.Connect, "");
                case RouteMatch.PathSpecifierOneofCase.PathMatchPolicy
                    when ValueTranslator.TypeName(
                        match.PathMatchPolicy.TypedConfig) == "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig":
                    var template = ValueTranslator.Unpack(match.PathMatchPolicy.TypedConfig,
                        Envoy.Extensions.Path.Match.UriTemplate.V3.UriTemplateMatchConfig.Parser, rejections);
                    return template is null ? null
                        : new PathMatch(PathMatchKind.Template, template.PathTemplate) { CutsParameters = cutsParameters };
                default:
                    rejections.Add($"path specifier {match.PathSpecifierCase} is not served");
                    return null;
            }
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            rejections.Add(e.Message);
            return null;
        }
    }

    private Routing.RouteAction? Action(RouteMessage route, HostLevel level, Dictionary<string, object> settings, Rejections rejections)
    {
        switch (route.ActionCase)
        {
            case RouteMessage.ActionOneofCase.Route_:
                return new ForwardTranslator(clusters, filters, Runtime, rejections).Forward(route.Route_, level.Host, level.Mirrors,
                    settings);
            case RouteMessage.ActionOneofCase.Redirect:
                return Redirect(route.Redirect, rejections);
            case RouteMessage.ActionOneofCase.DirectResponse:
                return Direct(route.DirectResponse, rejections);
            case RouteMessage.ActionOneofCase.NonForwardingAction:
                return new Routing.NonForwardingAction();
            default:
                rejections.Add($"action {route.ActionCase} is not served");
                return null;
        }
    }

    private static Routing.RedirectAction Redirect(Envoy.Config.Route.V3.RedirectAction action, Rejections rejections) => new()
    {
        Status = action.ResponseCode switch
        {
            Envoy.Config.Route.V3.RedirectAction.Types.RedirectResponseCode.Found => 302,
            Envoy.Config.Route.V3.RedirectAction.Types.RedirectResponseCode.SeeOther => 303,
            Envoy.Config.Route.V3.RedirectAction.Types.RedirectResponseCode.TemporaryRedirect => 307,
            Envoy.Config.Route.V3.RedirectAction.Types.RedirectResponseCode.PermanentRedirect => 308,
            _ => 301,
        },
        Scheme = action.HttpsRedirect ? "https" : action.SchemeRedirect.Length > 0 ? action.SchemeRedirect : null,
        HttpsRedirect = action.HttpsRedirect,
        Host = action.HostRedirect,
        Port = (int)action.PortRedirect,
        Path = action.PathRedirect.Length > 0 ? action.PathRedirect : null,
        PrefixRewrite = action.PathRewriteSpecifierCase == Envoy.Config.Route.V3.RedirectAction.PathRewriteSpecifierOneofCase.PrefixRewrite
            ? action.PrefixRewrite : null,
        RegexRewrite = MatcherTranslator.Rewrite(action.RegexRewrite, rejections),
        StripQuery = action.StripQuery,
    };

    private Routing.DirectResponseAction Direct(Envoy.Config.Route.V3.DirectResponseAction action, Rejections rejections)
    {
        byte[] body = ValueTranslator.Data(action.Body, rejections) ?? [];
        if (body.Length > _bodyBytesMax)
            rejections.Add($"response body size is {body.Length} bytes; maximum is {_bodyBytesMax}");
        if (action.Status is < 200 or >= 600)
            rejections.Add($"direct_response status {action.Status} is not between 200 and 599");
        return new Routing.DirectResponseAction((int)action.Status, body, LocalReplyTranslator.Body(action.BodyFormat, rejections));
    }

    private List<MirrorPolicy> Mirrors(IEnumerable<Envoy.Config.Route.V3.RouteAction.Types.RequestMirrorPolicy> policies,
        Rejections rejections) =>
        new ForwardTranslator(clusters, filters, Runtime, rejections).Mirrors(policies);

    /// <summary>Header changes of one level.</summary>
    public static HeaderMutations Mutations(IReadOnlyList<Core.HeaderValueOption> add, IReadOnlyList<string> remove, Rejections rejections)
    {
        if (add.Count == 0 && remove.Count == 0)
            return HeaderMutations.None;
        foreach (string name in remove)
        {
            if (name.StartsWith(':') || name.Equals("host", StringComparison.OrdinalIgnoreCase))
                rejections.Add(":-prefixed or host headers may not be removed");
        }
        return new HeaderMutations([.. remove.Select(n => Bytes(n.ToLowerInvariant()))],
            [.. add.Select(h => Addition(h, rejections)).OfType<HeaderAddition>()]);
    }

    /// <summary>A header to add; null where <paramref name="rejections"/> tells why not.</summary>
    internal static HeaderAddition? Addition(Core.HeaderValueOption option, Rejections rejections, bool pseudo = false)
    {
        Core.HeaderValue? header = option.Header;
        string name = (header?.Key ?? "").ToLowerInvariant();
        if (name.Length == 0)
            rejections.Add("a header to add has no name");
        else if (!pseudo && (name[0] == ':' || name == "host"))
            rejections.Add(":-prefixed or host headers may not be modified");
#pragma warning disable CS0612 // append is deprecated, and still written by control planes
        HeaderAppend append = option.Append is { } old
            ? old ? HeaderAppend.AppendOrAdd : HeaderAppend.OverwriteOrAdd : (HeaderAppend)option.AppendAction;
#pragma warning restore CS0612
        string value = header is null ? "" : header.RawValue.Length > 0 ? header.RawValue.ToStringUtf8() : header.Value;
        try
        {
            return new HeaderAddition(name, TextFormat.Parse(value), append, option.KeepEmptyValue);
        }
        catch (FormatException e)
        {
            rejections.Add($"header {name}: {e.Message}");
            return null;
        }
    }

    /// <summary>Settings of a level over those of the level above.</summary>
    internal static Dictionary<string, object> Merge(Dictionary<string, object> above, Dictionary<string, object> own)
    {
        if (own.Count == 0)
            return above;
        var merged = new Dictionary<string, object>(above);
        foreach ((string name, object value) in own)
            merged[name] = value is LayeredSettings layer && above.TryGetValue(name, out object? outer) && outer is LayeredSettings under
                ? layer.Over(under) : value;
        return merged;
    }

    private static byte[] Bytes(string text) => System.Text.Encoding.Latin1.GetBytes(text.ToLowerInvariant());
}

/// <summary>What filters have to say about routes: their settings by type, and rate limit descriptors.</summary>
internal abstract class RouteFilterTranslator
{
    /// <summary>The settings by filter name.</summary>
    public abstract Dictionary<string, object> Settings(IReadOnlyDictionary<string, Any> typed, Rejections rejections);

    /// <summary>Rate limit descriptors in the filters' form; null for none.</summary>
    public abstract object? RateLimits(IReadOnlyList<RateLimit> limits, Rejections rejections);
}
