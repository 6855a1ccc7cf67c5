using Envoy.Config.Core.V3;
using Envoy.Extensions.Filters.Http.StatefulSession.V3;
using Envoy.Extensions.Http.StatefulSession.Cookie.V3;
using Envoy.Extensions.Http.StatefulSession.Header.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Generation.Filters;
using Lateen.Registry;
using Cookie = Envoy.Type.Http.V3.Cookie;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>Sticky sessions that a service asks for with the labels <c>istio.io/persistent-session</c> and
/// <c>istio.io/persistent-session-header</c>.</summary>
internal static class PersistentSessions
{
    /// <summary>Name of the filter, and key of its settings on virtual hosts and routes.</summary>
    public const string FilterName = "envoy.filters.http.stateful_session";

    private const string CookieLabel = "istio.io/persistent-session";
    private const string HeaderLabel = "istio.io/persistent-session-header";

    /// <summary>The per-route settings of the filter for the service, or null.</summary>
    public static Any? For(Service? service) =>
        StateOf(service) is { } state ? Wire.Pack(new StatefulSessionPerRoute { StatefulSession = state }) : null;

    /// <summary>The settings of the filter itself for the service, or null.</summary>
    public static StatefulSession? StateOf(Service? service)
    {
        if (service is null) return null;
        if (service.Labels.TryGetValue(HeaderLabel, out var header) && header.Length > 0)
        {
            return Session("envoy.http.stateful_session.header", new HeaderBasedSessionState { Name = header });
        }
        if (!service.Labels.TryGetValue(CookieLabel, out var cookie) || cookie.Length == 0) return null;
        // "name:path", because a label value can't hold a slash at its end any other way.
        var colon = cookie.IndexOf(':', StringComparison.Ordinal);
        var name = colon < 0 ? cookie : cookie[..colon];
        var path = colon < 0 ? "/" : cookie[(colon + 1)..];
        return Session("envoy.http.stateful_session.cookie",
            new CookieBasedSessionState { Cookie = new Cookie { Name = name, Path = path } });
    }

    private static StatefulSession Session(string name, Google.Protobuf.IMessage state) => new()
    {
        SessionState = new TypedExtensionConfig { Name = name, TypedConfig = Wire.Pack(state) },
    };
}
