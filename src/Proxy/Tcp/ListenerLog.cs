using Lateen.Proxy.Listeners;
using Lateen.Proxy.Telemetry;

namespace Lateen.Proxy.Tcp;

/// <summary>A listener's own access logs: a line for each connection at its end, whether a chain served it or not.</summary>
public sealed class ListenerLog(IReadOnlyList<AccessLog> logs) : ConnectionRecorder
{
    /// <inheritdoc/>
    public override void OnRefused(Worker worker, Listener listener, ConnectionFacts facts, Failure failure, string details)
    {
        var stream = new ConnectionStream(worker, listener, facts, facts.AcceptedAt);
        bool noChain = failure.Kind == FailureKind.NoFilterChain;
        if (noChain)
        {
            stream.Flags = ResponseFlags.NoRouteFound;
            stream.Details = details;
        }
        else
        {
            stream.TerminationDetails = details;
        }
        Write(worker, stream);
    }

    /// <inheritdoc/>
    public override void OnEnded(AcceptedConnection connection) =>
        Write(connection.Worker, connection.Stream as ConnectionStream ?? new ConnectionStream(connection));

    private void Write(Worker worker, ConnectionStream stream)
    {
        stream.Times.DownstreamConnectionEnd = stream.Times.End = worker.Loop.Now;
        stream.LogType = "NotSet";
        foreach (AccessLog log in logs)
            log.Write(worker, stream, stream.StreamId);
    }
}
