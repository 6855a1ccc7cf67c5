using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Mesh.V1Alpha1;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Scope;
using Escaped = Istio.Mesh.V1Alpha1.ConnectionSettings.Types.PathWithEscapedSlashesAction;
using EscapedSlashes = Envoy.Extensions.Filters.Network.HttpConnectionManager.V3.HttpConnectionManager.Types.PathWithEscapedSlashesAction;
using Underscores = Istio.Mesh.V1Alpha1.ConnectionSettings.Types.HeadersWithUnderscoresAction;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>Limits and timeouts of <c>connectionSettings</c>: the values of its profile, overridden one by one.</summary>
internal static class ConnectionLimits
{
    // What Envoy's edge best practices ask of a proxy that strangers talk to.
    private const int EdgeBufferBytes = 32 * 1024;
    private const int EdgeIdleSeconds = 3600;
    private const int EdgeRequestSeconds = 300;
    private const int EdgeStreamIdleSeconds = 300;
    private const int EdgeStreamsMax = 100;
    private const int EdgeStreamWindowBytes = 64 * 1024;
    private const int EdgeConnectionWindowBytes = 1024 * 1024;

    /// <summary>Applies the settings to a connection manager.</summary>
    public static void Apply(HttpConnectionManager manager, ProxyInputs inputs)
    {
        if (inputs.Config.ConnectionSettings is not { } settings) return;
        var isEdge = IsEdge(settings, inputs);
        ApplyTimeouts(manager, settings, isEdge);
        ApplyHttp2(manager, settings, isEdge);
        ApplyPaths(manager, settings, isEdge);
    }

    /// <summary>Largest buffer of a connection, or null.</summary>
    public static uint? BufferBytes(ProxyInputs inputs)
    {
        if (inputs.Config.ConnectionSettings is not { } settings) return null;
        return (uint?)settings.ListenerPerConnectionBufferLimitBytes ?? (IsEdge(settings, inputs) ? EdgeBufferBytes : null);
    }

    private static bool IsEdge(ConnectionSettings settings, ProxyInputs inputs) =>
        settings.Profile == ConnectionSettings.Types.Profile.Edge && inputs.Node.Type == ProxyType.Router;

    private static void ApplyTimeouts(HttpConnectionManager manager, ConnectionSettings settings, bool isEdge)
    {
        var common = manager.CommonHttpProtocolOptions ?? new HttpProtocolOptions();
        common.IdleTimeout = settings.HttpIdleTimeout ?? common.IdleTimeout ?? (isEdge ? Wire.Seconds(EdgeIdleSeconds) : null);
        common.MaxConnectionDuration = settings.HttpMaxConnectionDuration ?? common.MaxConnectionDuration;
        common.MaxStreamDuration = settings.HttpMaxStreamDuration ?? common.MaxStreamDuration;
        common.HeadersWithUnderscoresAction = settings.HeadersWithUnderscoresAction switch
        {
            Underscores.Reject => HttpProtocolOptions.Types.HeadersWithUnderscoresAction.RejectRequest,
            Underscores.DropHeader => HttpProtocolOptions.Types.HeadersWithUnderscoresAction.DropHeader,
            _ when isEdge => HttpProtocolOptions.Types.HeadersWithUnderscoresAction.RejectRequest,
            _ => common.HeadersWithUnderscoresAction,
        };
        if (!common.Equals(new HttpProtocolOptions())) manager.CommonHttpProtocolOptions = common;
        manager.RequestTimeout = settings.HttpRequestTimeout ?? (isEdge ? Wire.Seconds(EdgeRequestSeconds) : manager.RequestTimeout);
        manager.StreamIdleTimeout = settings.HttpStreamIdleTimeout
            ?? (isEdge ? Wire.Seconds(EdgeStreamIdleSeconds) : manager.StreamIdleTimeout);
        manager.RequestHeadersTimeout = settings.HttpRequestHeadersTimeout ?? (isEdge ? Wire.Seconds(60) : manager.RequestHeadersTimeout);
        manager.DrainTimeout = settings.HttpDrainTimeout ?? manager.DrainTimeout;
    }

    private static void ApplyHttp2(HttpConnectionManager manager, ConnectionSettings settings, bool isEdge)
    {
        uint? streams = (uint?)settings.HttpMaxConcurrentStreams ?? (isEdge ? EdgeStreamsMax : null);
        uint? stream = (uint?)settings.Http2InitialStreamWindowSize ?? (isEdge ? EdgeStreamWindowBytes : null);
        uint? connection = (uint?)settings.Http2InitialConnectionWindowSize ?? (isEdge ? EdgeConnectionWindowBytes : null);
        if (streams is null && stream is null && connection is null) return;
        manager.Http2ProtocolOptions ??= new Http2ProtocolOptions();
        manager.Http2ProtocolOptions.MaxConcurrentStreams = streams;
        manager.Http2ProtocolOptions.InitialStreamWindowSize = stream;
        manager.Http2ProtocolOptions.InitialConnectionWindowSize = connection;
    }

    private static void ApplyPaths(HttpConnectionManager manager, ConnectionSettings settings, bool isEdge)
    {
        if (settings.MergeSlashes ?? isEdge) manager.MergeSlashes = true;
        manager.PathWithEscapedSlashesAction = settings.PathWithEscapedSlashesAction switch
        {
            Escaped.KeepUnchanged => EscapedSlashes.KeepUnchanged,
            Escaped.RejectRequest => EscapedSlashes.RejectRequest,
            Escaped.UnescapeAndRedirect => EscapedSlashes.UnescapeAndRedirect,
            Escaped.UnescapeAndForward => EscapedSlashes.UnescapeAndForward,
            _ when isEdge => EscapedSlashes.UnescapeAndRedirect,
            _ => manager.PathWithEscapedSlashesAction,
        };
    }
}
