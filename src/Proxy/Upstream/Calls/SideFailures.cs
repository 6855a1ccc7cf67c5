using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Upstream.Calls;

/// <summary>Why a side call has no answer, in the router's words, and what a script would see of it: Envoy's asynchronous client answers
/// with status and text of its own there.</summary>
public static class SideFailures
{
    /// <summary>The cluster is unknown.</summary>
    public static readonly UpstreamCause NoCluster = new("unknown cluster", 503, ResponseFlags.NoClusterFound);

    /// <summary>No host of it may be used.</summary>
    public static readonly UpstreamCause NoHost = new("no healthy upstream", 503, ResponseFlags.NoHealthyUpstream);

    /// <summary>The answer took too long.</summary>
    public static readonly UpstreamCause Timeout = new("upstream request timeout", 504, ResponseFlags.UpstreamRequestTimeout);

    /// <summary>The answer is larger than its reader wants.</summary>
    public static readonly UpstreamCause TooLarge = new("response too large", 500, ResponseFlags.None);

    /// <summary>The body that goes with <see cref="UpstreamCause.Status"/>.</summary>
    public static string Body(UpstreamCause cause) =>
        ReferenceEquals(cause, NoHost) || ReferenceEquals(cause, Timeout) || ReferenceEquals(cause, TooLarge)
            ? cause.Text : $"upstream connect error or disconnect/reset before headers. reset reason: {cause.Text}";

    internal static UpstreamCause Of(PoolFailure failure) => failure switch
    {
        PoolFailure.Overflow => UpstreamCause.Overflow,
        PoolFailure.LocalConnectionFailure => UpstreamCause.LocalConnectionFailure,
        PoolFailure.Timeout => UpstreamCause.ConnectionTimeout,
        _ => UpstreamCause.RemoteConnectionFailure,
    };

    internal static UpstreamCause Of(ResetReason reason) => reason switch
    {
        ResetReason.RemoteReset => UpstreamCause.RemoteReset,
        ResetReason.RemoteRefused => UpstreamCause.RemoteRefused,
        ResetReason.ConnectionFailure => UpstreamCause.RemoteConnectionFailure,
        ResetReason.ProtocolError => UpstreamCause.ProtocolError,
        ResetReason.Overflow => UpstreamCause.Overflow,
        ResetReason.ConnectError => UpstreamCause.ConnectError,
        ResetReason.Local or ResetReason.LocalFailure => UpstreamCause.LocalReset,
        _ => UpstreamCause.ConnectionTermination,
    };
}
