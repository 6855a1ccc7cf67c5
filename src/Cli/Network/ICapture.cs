using System.Net;

namespace Lateen.Cli.Network;

/// <summary>How workloads get addresses and how their traffic gets into their sidecars.</summary>
public interface ICapture : IDisposable
{
    /// <summary>What is said of it in the first lines of `lateen up`.</summary>
    string Description { get; }

    /// <summary>The addresses in use.</summary>
    Subnet Subnet { get; }

    /// <summary>Makes the place of a workload.</summary>
    /// <param name="number">Which one; its address follows from it.</param>
    /// <param name="ports">The ports its program listens on.</param>
    /// <exception cref="IOException">The machine refuses.</exception>
    Task<Placement> PlaceAsync(int number, IReadOnlyList<int> ports);

    /// <summary>The place of a gateway: the machine itself.</summary>
    Placement Gateway { get; }

    /// <summary>Gives a place up.</summary>
    void Remove(int number);
}

/// <summary>Where a workload lives.</summary>
/// <param name="Address">Its address, as the mesh knows it.</param>
/// <param name="Network">A descriptor of its network namespace, or null for the machine's own.</param>
/// <param name="SidecarGroup">The group its sidecar runs as, or null.</param>
/// <param name="Sidecar">What its sidecar must know, as environment.</param>
/// <param name="Program">What its program must know, as environment; empty where capture is transparent.</param>
public sealed record Placement(IPAddress Address, int? Network, uint? SidecarGroup, IReadOnlyDictionary<string, string> Sidecar,
    IReadOnlyDictionary<string, string> Program);
