using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.CustomResponse;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Xds.Matching;
using LocalMessage = Envoy.Extensions.Http.CustomResponse.LocalResponsePolicy.V3.LocalResponsePolicy;
using Message = Envoy.Extensions.Filters.Http.CustomResponse.V3.CustomResponse;
using RedirectMessage = Envoy.Extensions.Http.CustomResponse.RedirectPolicy.V3.RedirectPolicy;

namespace Lateen.Proxy.Xds.Filters.Transforms;

/// <summary>envoy.filters.http.custom_response.</summary>
internal sealed class CustomResponseTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.custom_response.v3.CustomResponse"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        Read(config, translation, rejections) is { } settings
            ? new CustomResponseFilter(name, settings) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) => Read(config, translation, rejections);

    private static CustomResponseSettings? Read(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Message.Parser, rejections) is not { } message)
            return null;
        using Rejections.Scope scope = rejections.In("custom_response_matcher");
        return new CustomResponseSettings(message.CustomResponseMatcher is { } matcher
            ? new MatchTreeTranslator<IStreamFacts, ResponsePolicy>(new ResponseVocabulary(translation), rejections).Tree(matcher) : null);
    }

    private sealed class ResponseVocabulary(Translation translation) : StreamVocabulary<ResponsePolicy>(translation)
    {
        /// <inheritdoc/>
        public override ResponsePolicy? Action(string type, Any config, Rejections rejections)
        {
            switch (type)
            {
                case "envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy":
                    return ValueTranslator.Unpack(config, LocalMessage.Parser, rejections) is { } local ? Local(local, rejections) : null;
                case "envoy.extensions.http.custom_response.redirect_policy.v3.RedirectPolicy":
                    return ValueTranslator.Unpack(config, RedirectMessage.Parser, rejections) is { } redirect
                        ? Redirect(redirect, rejections) : null;
                default:
                    rejections.Add($"custom response policy {config.TypeUrl} is not served");
                    return null;
            }
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
            redirect.RedirectActionSpecifierCase == RedirectMessage.RedirectActionSpecifierOneofCase.Uri
                ? FromUri(redirect.Uri, rejections) : FromAction(redirect.RedirectAction, rejections);
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

    private static (string Scheme, string Host, string Path, bool StripQuery)? FromAction(Envoy.Config.Route.V3.RedirectAction? action,
        Rejections rejections)
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
        string host = action.HostRedirect.Length > 0 && action.PortRedirect > 0
            ? $"{action.HostRedirect}:{action.PortRedirect}" : action.HostRedirect;
        return (action.HttpsRedirect ? "https" : action.SchemeRedirect, host, action.PathRedirect, action.StripQuery);
    }
}
