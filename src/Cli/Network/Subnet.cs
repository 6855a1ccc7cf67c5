using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Lateen.Cli.Network;

/// <summary>The addresses of one running mesh: a /16 for workloads, another for the virtual addresses of services.</summary>
/// <param name="Index">Which of the possible ones; two meshes on one machine have different ones.</param>
/// <param name="Loopback">True where workloads share the machine's loopback interface.</param>
public sealed record Subnet(int Index, bool Loopback = false)
{
    /// <summary>The length of both prefixes.</summary>
    public const int PrefixLength = 16;

    private const int FirstIndex = 44, Count = 8;

    /// <summary>The bridge, which is the workloads' way out.</summary>
    public IPAddress Hub => At(Index, 1);

    /// <summary>The machine itself, as workloads see it.</summary>
    public IPAddress Machine => At(Index, 2);

    /// <summary>The name of the cable's end on the machine.</summary>
    public string Cable => $"lateen{Index}";

    /// <summary>The addresses of workloads, as a range.</summary>
    public string Workloads => $"{At(Index, 0)}/{PrefixLength}";

    /// <summary>A workload's address.</summary>
    /// <param name="number">From 0; at most 65,000.</param>
    public IPAddress Workload(int number) => At(Index, 16 + number);

    /// <summary>The address a workload's program listens on where its sidecar has taken the workload's own (loopback).</summary>
    public IPAddress Program(int number) => At(Index + 50, 16 + number);

    /// <summary>A service's virtual address.</summary>
    public IPAddress Service(int number) => At(Index + 100, 16 + number);

    /// <summary>One whose addresses no interface of this machine has.</summary>
    public static Subnet Free(bool loopback)
    {
        if (loopback) return new Subnet(FirstIndex, true);
        HashSet<int> taken = NetworkInterface.GetAllNetworkInterfaces()
            .SelectMany(i => i.GetIPProperties().UnicastAddresses)
            .Where(a => a.Address.AddressFamily == AddressFamily.InterNetwork && a.Address.GetAddressBytes()[0] == 10)
            .Select(a => (int)a.Address.GetAddressBytes()[1]).ToHashSet();
        for (int index = FirstIndex; index < FirstIndex + Count; index++)
            if (!taken.Contains(index) && !taken.Contains(index + 100)) return new Subnet(index);
        throw new IOException(
            $"this machine uses all of 10.{FirstIndex}.0.0/16 to 10.{FirstIndex + Count - 1}.0.0/16, which workloads would get");
    }

    private IPAddress At(int second, int number) => new([(byte)(Loopback ? 127 : 10), (byte)second, (byte)(number >> 8), (byte)number]);
}
