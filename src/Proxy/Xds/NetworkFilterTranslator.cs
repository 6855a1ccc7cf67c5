using Envoy.Config.Listener.V3;
using Lateen.Proxy.Listeners;
using Chain = Envoy.Config.Listener.V3.FilterChain;
using Message = Envoy.Config.Listener.V3.Listener;

namespace Lateen.Proxy.Xds;

/// <summary>Network filters: TCP and what stands in front of it or of HTTP.</summary>
internal sealed class NetworkFilterTranslator : NetworkTranslator
{
    /// <inheritdoc/>
    public override ChainHandler? Chain(Chain chain, Message listener, Rejections rejections)
    {
        Filter? last = chain.Filters.LastOrDefault();
        rejections.Add(last is null ? "a filter chain without filters is not served" : $"Didn't find a registered implementation for '{last.Name}' with type URL: '{(last.TypedConfig is null ? "" : ValueTranslator.TypeName(last.TypedConfig))}'");
        return null;
    }

    /// <inheritdoc/>
    public override ChainHandler? Before(Chain chain, Message listener, ChainHandler http, Rejections rejections)
    {
        foreach (Filter filter in chain.Filters.Take(chain.Filters.Count - 1))
            rejections.Note($"{filter.Name} has no effect");
        return http;
    }

    /// <inheritdoc/>
    public override ConnectionRecorder? Recorder(Message listener, Rejections rejections) => null;
}
