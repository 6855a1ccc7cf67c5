namespace Lateen.Bench.Load;

/// <summary>What is asked of every contestant.</summary>
/// <param name="Name">As in the table.</param>
/// <param name="IsTcp">Bytes pass through unread.</param>
/// <param name="IsFull">In a mesh's dress: 20 hosts of 5 routes, access log, request id, forwarded headers, metrics and the filters that a
/// sidecar has.</param>
internal sealed record Work(string Name, bool IsTcp = false, bool IsFull = false)
{
    /// <summary>All of them.</summary>
    public static readonly IReadOnlyList<Work> All = [new("http1"), new("http1-full", IsFull: true), new("tcp", IsTcp: true)];

    /// <summary>The host that requests name; empty for the address.</summary>
    public string Host => IsFull ? "s7.default.svc.cluster.local" : "";
}
