using System.Globalization;
using Envoy.Config.Core.V3;
using Envoy.Extensions.Filters.Http.ExtProc.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Filters;
using Lateen.Registry;
using BodyMode = Envoy.Extensions.Filters.Http.ExtProc.V3.ProcessingMode.Types.BodySendMode;
using HeaderMode = Envoy.Extensions.Filters.Http.ExtProc.V3.ProcessingMode.Types.HeaderSendMode;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>Who chooses the server of a pool for each request.</summary>
/// <param name="Host">Its service.</param>
/// <param name="Port">Port.</param>
/// <param name="FailsOpen">Requests go on without it where it doesn't answer.</param>
public sealed record EndpointPicker(string Host, int Port, bool FailsOpen);

/// <summary>Endpoint pickers of inference pools: external processors by route.</summary>
internal static class EndpointPickers
{
    /// <summary>Name of the filter, and key of its settings on routes.</summary>
    public const string FilterName = "envoy.filters.http.ext_proc";

    private const string ServiceLabel = "istio.io/inferencepool-extension-service";
    private const string PortLabel = "istio.io/inferencepool-extension-port";
    private const string FailureLabel = "istio.io/inferencepool-extension-failure-mode";

    /// <summary>The picker of the service that stands for a pool; null where it is none.</summary>
    public static EndpointPicker? Of(Service? pool, string domainSuffix)
    {
        if (pool is null || !pool.Labels.TryGetValue(ServiceLabel, out var name)
            || !int.TryParse(pool.Labels.GetValueOrDefault(PortLabel), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            return null;
        return new EndpointPicker($"{name}.{pool.Namespace}.svc.{domainSuffix}", port,
            pool.Labels.GetValueOrDefault(FailureLabel) == "FailOpen");
    }

    /// <summary>Room for pickers, which come with the routes: without one it does nothing.</summary>
    public static HttpFilter Filter() => HttpFilters.Named(FilterName, new ExternalProcessor
    {
        GrpcService = new GrpcService { EnvoyGrpc = new GrpcService.Types.EnvoyGrpc { ClusterName = "dummy" } },
        ProcessingMode = new ProcessingMode { RequestHeaderMode = HeaderMode.Skip, ResponseHeaderMode = HeaderMode.Skip },
    });

    /// <summary>Settings of a route: headers and bodies both ways, as they come.</summary>
    public static ExtProcPerRoute Route(EndpointPicker picker) => new()
    {
        Overrides = new ExtProcOverrides
        {
            GrpcService = new GrpcService { EnvoyGrpc =
                new GrpcService.Types.EnvoyGrpc { ClusterName = ClusterNames.Outbound(picker.Port, "", picker.Host) } },
            ProcessingMode = new ProcessingMode
            {
                RequestHeaderMode = HeaderMode.Send,
                RequestBodyMode = BodyMode.FullDuplexStreamed,
                RequestTrailerMode = HeaderMode.Send,
                ResponseHeaderMode = HeaderMode.Send,
                ResponseBodyMode = BodyMode.FullDuplexStreamed,
                ResponseTrailerMode = HeaderMode.Send,
            },
            FailureModeAllow = picker.FailsOpen,
        },
    };
}
