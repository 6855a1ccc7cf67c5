using System.Text;
using Lateen.Api.Grpc;

namespace Lateen.ControlPlane.Metrics;

/// <summary>Unary gRPC calls as Go's own server counts them: how many began, how they ended, how long they took. Written by any
/// thread.</summary>
public sealed class CallMetrics
{
    private const string Kind = "unary";

    // Prometheus' usual bounds.
    private static readonly double[] Bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly Lock _writing = new();
    private readonly CounterFamily _handled =
        new("grpc_server_handled_total", "Calls that ended, by status.", "grpc_code", "grpc_method", "grpc_service", "grpc_type");
    private readonly HistogramFamily _took =
        new("grpc_server_handling_seconds", "Time until a call ended.", Bounds, "grpc_method", "grpc_service", "grpc_type");
    private readonly CounterFamily _started =
        new("grpc_server_started_total", "Calls that began.", "grpc_method", "grpc_service", "grpc_type");

    /// <summary>A call began.</summary>
    /// <param name="path">/SERVICE/METHOD.</param>
    public void Started(string path)
    {
        (string service, string method) = Split(path);
        lock (_writing) _started.Add(1, method, service, Kind);
    }

    /// <summary>A call ended.</summary>
    public void Handled(string path, GrpcStatus status, TimeSpan took)
    {
        (string service, string method) = Split(path);
        string code = status == GrpcStatus.Ok ? "OK" : status.ToString();
        lock (_writing)
        {
            _handled.Add(1, code, method, service, Kind);
            _took.Record(took.TotalSeconds, method, service, Kind);
        }
    }

    /// <summary>Everything in Prometheus' text form.</summary>
    public string Text()
    {
        var text = new StringBuilder();
        lock (_writing)
        {
            foreach (MetricFamily family in (MetricFamily[])[_handled, _took, _started]) family.WriteTo(text);
        }
        return text.ToString();
    }

    private static (string Service, string Method) Split(string path)
    {
        int slash = path.LastIndexOf('/');
        return (path[1..slash], path[(slash + 1)..]);
    }
}
