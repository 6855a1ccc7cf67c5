using Envoy.Config.Core.V3;
using Envoy.Config.Route.V3;
using Istio.Networking.V1Alpha3;
using Code = Envoy.Config.Route.V3.RedirectAction.Types.RedirectResponseCode;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>Rules that answer without a destination: redirects and direct responses.</summary>
internal static class Redirects
{
    /// <summary>In rules made from Gateway API routes, stands before the new prefix where only the prefix is to be replaced.</summary>
    private const string PrefixMark = "%PREFIX()%";

    /// <summary>Makes the route a redirect; a code that Envoy has no word for leaves it without an action.</summary>
    public static void Apply(Envoy.Config.Route.V3.Route route, HTTPRedirect redirect, RouteRulesInputs inputs)
    {
        if (ResponseCode(redirect.RedirectCode) is not { } code) return;
        var action = new RedirectAction { HostRedirect = redirect.Authority, ResponseCode = code };
        ApplyPath(action, redirect, inputs.Rules.IsGatewayApi);
        if (redirect.Scheme.Length > 0) action.SchemeRedirect = redirect.Scheme;
        action.PortRedirect = Port(redirect, inputs);
        route.Redirect = action;
    }

    /// <summary>Makes the route a fixed answer.</summary>
    public static void Apply(Envoy.Config.Route.V3.Route route, HTTPDirectResponse response)
    {
        var action = new DirectResponseAction { Status = response.Status };
        if (response.Body?.SpecifierCase == HTTPBody.SpecifierOneofCase.String)
            action.Body = new DataSource { InlineString = response.Body.String };
        if (response.Body?.SpecifierCase == HTTPBody.SpecifierOneofCase.Bytes)
            action.Body = new DataSource { InlineBytes = response.Body.Bytes };
        route.DirectResponse = action;
    }

    private static void ApplyPath(RedirectAction action, HTTPRedirect redirect, bool fromGatewayApi)
    {
        if (redirect.PrefixRewrite.Length > 0) action.PrefixRewrite = redirect.PrefixRewrite;
        else if (fromGatewayApi && redirect.Uri.StartsWith(PrefixMark, StringComparison.Ordinal))
            action.PrefixRewrite = redirect.Uri[PrefixMark.Length..];
        else action.PathRedirect = redirect.Uri;
    }

    // Envoy can't take the port from the request, but a route is always made for one port. Default ports are not spelled out.
    private static uint Port(HTTPRedirect redirect, RouteRulesInputs inputs)
    {
        var port = redirect.RedirectPortCase switch
        {
            HTTPRedirect.RedirectPortOneofCase.Port => redirect.Port,
            HTTPRedirect.RedirectPortOneofCase.DerivePort
                when redirect.DerivePort == HTTPRedirect.Types.RedirectPortSelection.FromRequestPort => (uint)inputs.ListenPort,
            _ => 0u,
        };
        var scheme = redirect.Scheme.Length > 0 ? redirect.Scheme : inputs.IsTls ? "https" : "http";
        return (port, scheme) is (80, "http") or (443, "https") ? 0 : port;
    }

    private static Code? ResponseCode(uint code) => code switch
    {
        0 or 301 => Code.MovedPermanently,
        302 => Code.Found,
        303 => Code.SeeOther,
        307 => Code.TemporaryRedirect,
        308 => Code.PermanentRedirect,
        _ => null,
    };
}
