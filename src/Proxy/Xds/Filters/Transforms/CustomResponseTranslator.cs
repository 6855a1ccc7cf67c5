using System.Text;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.CustomResponse;
using Lateen.Proxy.Routing;
using Envoy.Type.Matcher.V3;
using Xds.Type.Matcher.V3;
using Extension = Xds.Core.V3.TypedExtensionConfig;
using LocalMessage = Envoy.Extensions.Http.CustomResponse.LocalResponsePolicy.V3.LocalResponsePolicy;
using Message = Envoy.Extensions.Filters.Http.CustomResponse.V3.CustomResponse;
using Predicate = Xds.Type.Matcher.V3.Matcher.Types.MatcherList.Types.Predicate;
using RedirectMessage = Envoy.Extensions.Http.CustomResponse.RedirectPolicy.V3.RedirectPolicy;

namespace Lateen.Proxy.Xds.Filters.Transforms;

/// <summary>envoy.filters.http.custom_response.</summary>
internal sealed class CustomResponseTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.custom_response.v3.CustomResponse"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        Read(config, rejections) is { } settings ? new CustomResponseFilter(name, settings) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) => Read(config, rejections);

    private static CustomResponseSettings? Read(Any config, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Message.Parser, rejections) is not { } message)
            return null;
        using Rejections.Scope scope = rejections.In("custom_response_matcher");
        return new CustomResponseSettings(message.CustomResponseMatcher is { } matcher ? Tree(matcher, rejections) : null);
    }

    private static ResponseTree Tree(Matcher matcher, Rejections rejections)
    {
        ResponseOutcome? otherwise = matcher.OnNoMatch is null ? null : Outcome(matcher.OnNoMatch, rejections);
        switch (matcher.MatcherTypeCase)
        {
            case Matcher.MatcherTypeOneofCase.MatcherList:
                var rules = new List<(ResponseCondition, ResponseOutcome)>();
                foreach (Matcher.Types.MatcherList.Types.FieldMatcher rule in matcher.MatcherList.Matchers)
                {
                    if (Condition(rule.Predicate, rejections) is { } condition && Outcome(rule.OnMatch, rejections) is { } outcome)
                        rules.Add((condition, outcome));
                }
                return new ResponseTree { Rules = rules, Otherwise = otherwise };
            case Matcher.MatcherTypeOneofCase.MatcherTree:
                return Map(matcher.MatcherTree, rejections) with { Otherwise = otherwise };
            default:
                return new ResponseTree { Otherwise = otherwise };
        }
    }

    private static ResponseTree Map(Matcher.Types.MatcherTree tree, Rejections rejections)
    {
        if (tree.TreeTypeCase == Matcher.Types.MatcherTree.TreeTypeOneofCase.CustomMatch)
            rejections.Add($"matcher_tree with custom_match {tree.CustomMatch.Name} is not served");
        bool prefix = tree.TreeTypeCase == Matcher.Types.MatcherTree.TreeTypeOneofCase.PrefixMatchMap;
        var outcomes = new Dictionary<string, ResponseOutcome>(StringComparer.Ordinal);
        foreach ((string key, Matcher.Types.OnMatch match) in (prefix ? tree.PrefixMatchMap : tree.ExactMatchMap)?.Map ?? [])
        {
            if (Outcome(match, rejections) is { } outcome)
                outcomes[key] = outcome;
        }
        return new ResponseTree { Input = Input(tree.Input, rejections), Map = outcomes, ByPrefix = prefix };
    }

    private static ResponseCondition? Condition(Predicate? predicate, Rejections rejections)
    {
        switch (predicate?.MatchTypeCase)
        {
            case Predicate.MatchTypeOneofCase.SinglePredicate when predicate.SinglePredicate.ValueMatch is { } value:
                return Input(predicate.SinglePredicate.Input, rejections) is { } input && ChainMatcherTranslator.Text(value, rejections) is { } text ? ResponseCondition.Of(input, text) : null;
            case Predicate.MatchTypeOneofCase.AndMatcher:
                return ResponseCondition.Of([.. predicate.AndMatcher.Predicate.Select(p => Condition(p, rejections)).OfType<ResponseCondition>()], all: true);
            case Predicate.MatchTypeOneofCase.OrMatcher:
                return ResponseCondition.Of([.. predicate.OrMatcher.Predicate.Select(p => Condition(p, rejections)).OfType<ResponseCondition>()], all: false);
            case Predicate.MatchTypeOneofCase.NotMatcher:
                return Condition(predicate.NotMatcher, rejections) is { } not ? ResponseCondition.Not(not) : null;
            default:
                rejections.Add("a custom_match in matcher_list is not served");
                return null;
        }
    }

    private static ResponseInput? Input(Extension? input, Rejections rejections)
    {
        Any any = input?.TypedConfig ?? new Any();
        switch (ValueTranslator.TypeName(any))
        {
            case "envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput":
                return new ResponseInput(ResponseInputKind.Status, []);
            case "envoy.type.matcher.v3.HttpResponseStatusCodeClassMatchInput":
                return new ResponseInput(ResponseInputKind.StatusClass, []);
            case "envoy.type.matcher.v3.HttpRequestHeaderMatchInput":
                return Header(ResponseInputKind.RequestHeader, ValueTranslator.Unpack(any, HttpRequestHeaderMatchInput.Parser, rejections)?.HeaderName);
            case "envoy.type.matcher.v3.HttpResponseHeaderMatchInput":
                return Header(ResponseInputKind.ResponseHeader, ValueTranslator.Unpack(any, HttpResponseHeaderMatchInput.Parser, rejections)?.HeaderName);
            default:
                rejections.Add($"matching input {any.TypeUrl} is not served for custom responses");
                return null;
        }
    }

    private static ResponseInput Header(ResponseInputKind kind, string? name) => new(kind, Encoding.Latin1.GetBytes((name ?? "").ToLowerInvariant()));

    private static ResponseOutcome? Outcome(Matcher.Types.OnMatch? match, Rejections rejections)
    {
        if (match?.OnMatchCase == Matcher.Types.OnMatch.OnMatchOneofCase.Matcher)
            return new ResponseOutcome(null, Tree(match.Matcher, rejections));
        Any any = match?.Action?.TypedConfig ?? new Any();
        switch (ValueTranslator.TypeName(any))
        {
            case "envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy":
                return ValueTranslator.Unpack(any, LocalMessage.Parser, rejections) is { } local ? new ResponseOutcome(Local(local, rejections), null) : null;
            case "envoy.extensions.http.custom_response.redirect_policy.v3.RedirectPolicy":
                return ValueTranslator.Unpack(any, RedirectMessage.Parser, rejections) is { } redirect && Redirect(redirect, rejections) is { } policy ? new ResponseOutcome(policy, null) : null;
            default:
                rejections.Add($"custom response policy {any.TypeUrl} is not served");
                return null;
        }
    }

    private static LocalPolicy Local(LocalMessage local, Rejections rejections) => new()
    {
        Status = (int?)local.StatusCode,
        Headers = RouteTranslator.Mutations(local.ResponseHeadersToAdd, [], rejections),
        Body = ValueTranslator.Data(local.Body, rejections) ?? [],
        Format = LocalReplyTranslator.Body(local.BodyFormat, rejections),
    };

    private static RedirectedPolicy? Redirect(RedirectMessage redirect, Rejections rejections)
    {
        if (redirect.ModifyRequestHeadersAction is not null)
            rejections.Add("modify_request_headers_action is not served");
        (string Scheme, string Host, string Path, bool StripQuery)? target =
            redirect.RedirectActionSpecifierCase == RedirectMessage.RedirectActionSpecifierOneofCase.Uri ? FromUri(redirect.Uri, rejections) : FromAction(redirect.RedirectAction, rejections);
        return target is not { } t ? null : new RedirectedPolicy
        {
            Scheme = t.Scheme,
            Host = t.Host,
            Path = t.Path,
            StripQuery = t.StripQuery,
            Status = (int?)redirect.StatusCode,
            Headers = RouteTranslator.Mutations(redirect.ResponseHeadersToAdd, [], rejections),
            RequestHeaders = RouteTranslator.Mutations(redirect.RequestHeadersToAdd, [], rejections),
        };
    }

    private static (string Scheme, string Host, string Path, bool StripQuery)? FromUri(string text, Rejections rejections)
    {
        int scheme = text.IndexOf("://", StringComparison.Ordinal);
        string rest = scheme < 0 ? "" : text[(scheme + 3)..];
        int slash = rest.IndexOfAny(['/', '?']);
        string host = slash < 0 ? rest : rest[..slash], path = slash < 0 ? "/" : rest[slash..];
        if (scheme <= 0 || host.Length == 0)
        {
            rejections.Add($"Invalid uri specified for redirection for custom response: {text}");
            return null;
        }
        int fragment = path.IndexOf('#', StringComparison.Ordinal);
        return (text[..scheme], host, fragment < 0 ? path : path[..fragment], false);
    }

    private static (string Scheme, string Host, string Path, bool StripQuery)? FromAction(Envoy.Config.Route.V3.RedirectAction? action, Rejections rejections)
    {
        action ??= new Envoy.Config.Route.V3.RedirectAction();
        if (action.RegexRewrite is not null)
            rejections.Add("regex_rewrite is not supported for Custom Response");
        if (action.PrefixRewrite.Length > 0)
            rejections.Add("prefix_rewrite is not supported for Custom Response");
        if (action.PathRedirect.Contains('#', StringComparison.Ordinal))
            rejections.Add($"#fragment is not supported for custom response. Specified path_redirect is {action.PathRedirect}");
        if (action.HostRedirect.Length == 0 && action.PathRedirect.Length == 0)
            rejections.Add("At least one of host_redirect and path_redirect needs to be specified");
        string host = action.HostRedirect.Length > 0 && action.PortRedirect > 0 ? $"{action.HostRedirect}:{action.PortRedirect}" : action.HostRedirect;
        return (action.HttpsRedirect ? "https" : action.SchemeRedirect, host, action.PathRedirect, action.StripQuery);
    }
}
