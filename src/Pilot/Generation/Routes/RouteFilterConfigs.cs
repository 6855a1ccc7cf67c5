using Envoy.Config.Core.V3;
using Envoy.Extensions.Filters.Common.Fault.V3;
using Envoy.Extensions.Filters.Http.Cors.V3;
using Envoy.Extensions.Filters.Http.Fault.V3;
using Envoy.Type.Matcher.V3;
using Envoy.Type.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using EnvoyCors = Envoy.Extensions.Filters.Http.Cors.V3.CorsPolicy;
using IstioCors = Istio.Networking.V1Alpha3.CorsPolicy;
using IstioPercent = Istio.Networking.V1Alpha3.Percent;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>Settings of HTTP filters that a rule carries: faults and CORS; and the fractions that they are given in.</summary>
internal static class RouteFilterConfigs
{
    /// <summary>Name of the fault filter.</summary>
    public const string FaultName = "envoy.filters.http.fault";

    /// <summary>Name of the CORS filter.</summary>
    public const string CorsName = "envoy.filters.http.cors";

    /// <summary>Fault injection. Kinds of faults that Envoy does not know are left out.</summary>
    public static HTTPFault Fault(HTTPFaultInjection fault)
    {
        var result = new HTTPFault();
        if (fault.Delay is { HttpDelayTypeCase: HTTPFaultInjection.Types.Delay.HttpDelayTypeOneofCase.FixedDelay } delay)
        {
            result.Delay = new FaultDelay
            {
                FixedDelay = delay.FixedDelay,
                Percentage = delay.Percentage is { } share ? Fraction(share) : Hundredths((uint)delay.Percent),
            };
        }
        if (fault.Abort is { } abort) result.Abort = Abort(abort);
        return result;
    }

    private static FaultAbort? Abort(HTTPFaultInjection.Types.Abort abort)
    {
        var result = abort.ErrorTypeCase switch
        {
            HTTPFaultInjection.Types.Abort.ErrorTypeOneofCase.HttpStatus => new FaultAbort { HttpStatus = (uint)abort.HttpStatus },
            HTTPFaultInjection.Types.Abort.ErrorTypeOneofCase.GrpcStatus => new FaultAbort { GrpcStatus = GrpcStatus(abort.GrpcStatus) },
            _ => null,
        };
        if (result is not null && abort.Percentage is { } share) result.Percentage = Fraction(share);
        return result;
    }

    private static readonly string[] GrpcNames =
    [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ];

    // Names or numbers; validation has refused everything else.
    private static uint GrpcStatus(string text) =>
        uint.TryParse(text, out var number) ? number : (uint)Math.Max(0, Array.IndexOf(GrpcNames, text.ToUpperInvariant()));

    /// <summary>Cross-origin rules of a route.</summary>
    public static EnvoyCors Cors(IstioCors cors)
    {
        var result = new EnvoyCors
        {
            FilterEnabled = new RuntimeFractionalPercent { DefaultValue = Hundredths(100) },
            AllowCredentials = cors.AllowCredentials,
            AllowHeaders = string.Join(',', cors.AllowHeaders),
            AllowMethods = string.Join(',', cors.AllowMethods),
            ExposeHeaders = string.Join(',', cors.ExposeHeaders),
            ForwardNotMatchingPreflights = cors.UnmatchedPreflights != IstioCors.Types.UnmatchedPreflights.Ignore,
        };
        if (cors.MaxAge is not null) result.MaxAge = cors.MaxAge.Seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        foreach (var origin in cors.AllowOrigins)
        {
            if (StringMatches.ToEnvoy(origin) is { } matcher) result.AllowOriginStringMatch.Add(matcher);
        }
        // The older field counts only when the newer one is not there.
        if (cors.AllowOrigins.Count == 0) result.AllowOriginStringMatch.Add(cors.AllowOrigin.Select(OldOrigin));
        return result;
    }

    private static StringMatcher OldOrigin(string origin) => new() { Exact = origin };

    /// <summary>The share of requests that a mirror gets: null when it is none at all.</summary>
    public static RuntimeFractionalPercent? MirrorShare(HTTPRoute route)
    {
        if (route.MirrorPercentage is { } exact)
            return exact.Value > 0 ? new RuntimeFractionalPercent { DefaultValue = Fraction(exact) } : null;
        if (route.MirrorPercent is { } whole) return whole > 0 ? new RuntimeFractionalPercent { DefaultValue = Hundredths(whole) } : null;
        return new RuntimeFractionalPercent { DefaultValue = Hundredths(100) };
    }

    /// <summary>The share of one of several mirrors: null when it is none at all.</summary>
    public static RuntimeFractionalPercent? MirrorShare(HTTPMirrorPolicy mirror)
    {
        if (mirror.Percentage is { } exact) return exact.Value > 0 ? new RuntimeFractionalPercent { DefaultValue = Fraction(exact) } : null;
        return new RuntimeFractionalPercent { DefaultValue = Hundredths(100) };
    }

    /// <summary>Sends a share of the requests to a second cluster, too.</summary>
    /// <param name="cluster">The second cluster.</param>
    /// <param name="share">The share.</param>
    /// <param name="marksHosts">Whether the copies carry <c>-shadow</c> behind their host.</param>
    public static Envoy.Config.Route.V3.RouteAction.Types.RequestMirrorPolicy Mirror(string cluster, RuntimeFractionalPercent share,
        bool marksHosts) => new()
        {
            Cluster = cluster,
            RuntimeFraction = share,
            TraceSampled = false,
            DisableShadowHostSuffixAppend = !marksHosts,
        };

    // A per cent is 10,000 millionths.
    private static FractionalPercent Fraction(IstioPercent percent) => new()
    {
        Numerator = (uint)(percent.Value * 10_000),
        Denominator = FractionalPercent.Types.DenominatorType.Million,
    };

    private static FractionalPercent Hundredths(uint percent) => new() { Numerator = percent };
}
