using System.Text;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Exchanges.Heads;

/// <summary>What the Proxy-Status header tells (RFC 9209).</summary>
public sealed record ProxyStatusOptions
{
    /// <summary>Our name in it.</summary>
    public string Name { get; init; } = "envoy";

    /// <summary>The details are told.</summary>
    public bool Details { get; init; } = true;

    /// <summary>Among them why the connection was ended.</summary>
    public bool TerminationDetails { get; init; } = true;

    /// <summary>Among them the flags.</summary>
    public bool Flags { get; init; } = true;

    /// <summary>The status becomes the one that the RFC recommends for the error.</summary>
    public bool SetRecommendedStatus { get; init; }
}

/// <summary>Tells in a header why an answer is what it is: the error comes from the first of its flags that stands for one.</summary>
internal static class ProxyStatus
{
    private static readonly (ResponseFlags Flag, string Error, int Recommended)[] Errors =
    [
        (ResponseFlags.FailedLocalHealthCheck, "destination_unavailable", 503),
        (ResponseFlags.NoHealthyUpstream, "destination_unavailable", 503),
        (ResponseFlags.UpstreamRequestTimeout, "http_response_timeout", 504),
        (ResponseFlags.LocalReset, "connection_timeout", 504),
        (ResponseFlags.UpstreamRemoteReset, "connection_terminated", 502),
        (ResponseFlags.UpstreamConnectionFailure, "connection_refused", 502),
        (ResponseFlags.UpstreamConnectionTermination, "connection_terminated", 502),
        (ResponseFlags.UpstreamOverflow, "connection_limit_reached", 503),
        (ResponseFlags.NoRouteFound, "destination_not_found", 500),
        (ResponseFlags.RateLimited, "connection_limit_reached", 503),
        (ResponseFlags.StreamIdleTimeout, "http_response_timeout", 504),
        (ResponseFlags.DownstreamProtocolError, "http_request_error", 0),
        (ResponseFlags.UpstreamMaxStreamDurationReached, "http_response_timeout", 504),
        (ResponseFlags.UpstreamProtocolError, "http_protocol_error", 502),
        (ResponseFlags.NoClusterFound, "destination_unavailable", 503),
    ];

    /// <summary>Adds the header where there is an error to tell.</summary>
    public static void Tell(Exchange exchange, HeaderMap head, ProxyStatusOptions options)
    {
        foreach ((ResponseFlags flag, string error, int recommended) in Errors)
        {
            if ((exchange.Flags & flag) == 0)
                continue;
            byte[] text = Text(exchange, error, options);
            ReadOnlySpan<byte> before = head.TryGet("proxy-status"u8, out ReadOnlySpan<byte> present) ? present : default;
            head.Set("proxy-status"u8, before.IsEmpty ? text : (byte[])[.. before, .. ", "u8, .. text]);
            if (options.SetRecommendedStatus && recommended > 0)
            {
                head.Set(KnownHeader.Status, Replies.StatusText(recommended));
                exchange.Announce(recommended);
            }
            return;
        }
    }

    private static byte[] Text(Exchange exchange, string error, ProxyStatusOptions options)
    {
        var text = new StringBuilder(options.Name).Append("; error=").Append(error);
        var details = new List<string>();
        if (options.Details && exchange.Details.Length > 0)
            details.Add(exchange.Details);
        if (options.Details && options.TerminationDetails && exchange.TerminationDetails.Length > 0)
            details.Add(exchange.TerminationDetails);
        if (options.Details && options.Flags)
        {
            var flags = new ByteBuffer();
            ResponseFlagNames.Write(exchange.Flags, flags, order: exchange.FlagOrder);
            details.Add(Encoding.ASCII.GetString(flags.Written));
        }
        if (details.Count > 0)
            text.Append("; details=\"").AppendJoin("; ", details).Append('"');
        return Encoding.Latin1.GetBytes(text.ToString());
    }
}
