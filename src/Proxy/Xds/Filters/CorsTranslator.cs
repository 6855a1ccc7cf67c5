using System.Text;
using Envoy.Extensions.Filters.Http.Cors.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Cors;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>envoy.filters.http.cors.</summary>
internal sealed class CorsTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.cors.v3.Cors", "envoy.extensions.filters.http.cors.v3.CorsPolicy"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        new CorsFilter(name, translation.Statistics.Group($"{translation.HttpStatPrefix}cors.", CorsFilter.Counted)) { DisabledByDefault =
            disabled };

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Envoy.Extensions.Filters.Http.Cors.V3.CorsPolicy.Parser, rejections) is not { } policy)
            return null;
        return new Proxy.Filters.Cors.CorsPolicy
        {
            Origins = [.. policy.AllowOriginStringMatch.Select(m => MatcherTranslator.String(m, rejections)).OfType<StringMatch>()],
            Methods = Encoding.UTF8.GetBytes(policy.AllowMethods),
            Headers = Encoding.UTF8.GetBytes(policy.AllowHeaders),
            Exposed = Encoding.UTF8.GetBytes(policy.ExposeHeaders),
            MaxAge = Encoding.UTF8.GetBytes(policy.MaxAge),
            Credentials = policy.AllowCredentials,
            Enabled = policy.FilterEnabled is null ? Fraction.All : ValueTranslator.Fraction(policy.FilterEnabled, Fraction.All),
            Shadow = ValueTranslator.Fraction(policy.ShadowEnabled, new Fraction(0, 100)),
            PrivateNetwork = policy.AllowPrivateNetworkAccess,
            ForwardOthers = policy.ForwardNotMatchingPreflights,
        };
    }
}
