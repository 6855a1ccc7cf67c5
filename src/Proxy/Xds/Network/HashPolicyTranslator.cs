using Lateen.Proxy.Routing;
using Message = Envoy.Config.Route.V3.RouteAction;

namespace Lateen.Proxy.Xds.Network;

/// <summary>Ingredients of the balancer's hash, as routes and balancers of their own policy write them.</summary>
internal static class HashPolicyTranslator
{
    /// <summary>The policy; a rejection where it names nothing.</summary>
    public static HashPolicy Policy(Message.Types.HashPolicy policy, Rejections rejections)
    {
        switch (policy.PolicySpecifierCase)
        {
            case Message.Types.HashPolicy.PolicySpecifierOneofCase.Header:
                return new HashPolicy
                {
                    Source = HashSource.Header,
                    Name = policy.Header.HeaderName.ToLowerInvariant(),
                    Rewrite = MatcherTranslator.Rewrite(policy.Header.RegexRewrite, rejections),
                    Terminal = policy.Terminal,
                };
            case Message.Types.HashPolicy.PolicySpecifierOneofCase.Cookie:
                return new HashPolicy
                {
                    Source = HashSource.Cookie,
                    Name = policy.Cookie.Name,
                    Terminal = policy.Terminal,
                    CookieSeconds = policy.Cookie.Ttl?.Seconds,
                    CookiePath = policy.Cookie.Path,
                    CookieAttributes = [.. policy.Cookie.Attributes.Select(a => (a.Name, a.Value))],
                };
            case Message.Types.HashPolicy.PolicySpecifierOneofCase.ConnectionProperties:
                return new HashPolicy { Source = HashSource.SourceIp, Terminal = policy.Terminal };
            case Message.Types.HashPolicy.PolicySpecifierOneofCase.QueryParameter:
                return new HashPolicy { Source = HashSource.QueryParameter, Name = policy.QueryParameter.Name, Terminal = policy.Terminal };
            case Message.Types.HashPolicy.PolicySpecifierOneofCase.FilterState:
                return new HashPolicy { Source = HashSource.FilterState, Name = policy.FilterState.Key, Terminal = policy.Terminal };
            default:
                rejections.Add("a hash policy says nothing to hash");
                return new HashPolicy { Source = HashSource.SourceIp };
        }
    }
}
