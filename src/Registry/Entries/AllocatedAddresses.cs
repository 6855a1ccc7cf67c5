using System.Net;
using System.Net.Sockets;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;

namespace Lateen.Registry.Entries;

/// <summary>The addresses in the status of a ServiceEntry, which the allocator gave it. They count where it has none of its own.</summary>
internal readonly struct AllocatedAddresses(Resource<ServiceEntry> resource)
{
    private static readonly IReadOnlyList<ServiceEntryAddress> None = [];
    private readonly IReadOnlyList<ServiceEntryAddress> _addresses =
        resource.Spec.Addresses.Count > 0 ? None : (resource.Status as ServiceEntryStatus)?.Addresses ?? None;

    /// <summary>Those of a host, one of each family.</summary>
    public (string? IPv4, string? IPv6) Of(string host) =>
        (First(host, AddressFamily.InterNetwork), First(host, AddressFamily.InterNetworkV6));

    // An address without host is for all hosts of the entry; what is said of one goes first.
    private string? First(string host, AddressFamily family) => Said(host, family) ?? Said("", family);

    private string? Said(string of, AddressFamily family)
    {
        foreach (var address in _addresses)
        {
            if (address.Host == of && IPAddress.TryParse(address.Value, out var parsed) && parsed.AddressFamily == family)
                return address.Value;
        }
        return null;
    }
}
