using System.Text;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;

namespace Lateen.ControlPlane.Compile;

/// <summary>
/// Addresses of ServiceEntries that have none, as Istio's allocator gives them: from 240.240.0.0/16 and 2001:2::/48, which nobody routes.
/// An application that asks its sidecar's DNS gets one, and connections to it are told apart by it. An address follows from namespace and
/// host, so that it is the same after a restart; of two that fall together the younger moves on.
/// </summary>
public sealed class EntryAddresses
{
    private const string OptOut = "networking.istio.io/enable-autoallocate-ip";
    private const int PerOctet = 255;
    private const uint AddressesMax = PerOctet * PerOctet;

    private readonly Dictionary<ResourceKey, (Resource<ServiceEntry> Written, Resource<ServiceEntry> Given)> _known = [];
    private (IReadOnlyList<Resource<ServiceEntry>> Written, IReadOnlyList<Resource<ServiceEntry>> Given) _last = ([], []);

    /// <summary>The entries with what they were given; one that did not change is the object of the last time.</summary>
    /// <param name="entries">As written, oldest first.</param>
    public IReadOnlyList<Resource<ServiceEntry>> Of(IReadOnlyList<Resource<ServiceEntry>> entries)
    {
        if (ReferenceEquals(_last.Written, entries)) return _last.Given;
        var taken = new HashSet<string>(entries.SelectMany(Written));
        var byHost = new Dictionary<(string Namespace, string Host), uint>();
        _last = (entries, [.. entries.Select(entry => IsWanting(entry) ? Give(entry, taken, byHost) : entry)]);
        foreach (ResourceKey gone in _known.Keys.Except(entries.Select(entry => entry.Key)).ToList()) _known.Remove(gone);
        return _last.Given;
    }

    /// <summary>Whether an entry is to be given addresses.</summary>
    public static bool IsWanting(Resource<ServiceEntry> entry) =>
        entry.Spec.Addresses.Count == 0 && entry.Spec.Resolution != ServiceEntry.Types.Resolution.None
            && entry.Labels.GetValueOrDefault(OptOut) != "false"
        && !Written(entry).Any() && entry.Spec.Hosts.Any(host => !host.StartsWith('*'));

    private static IEnumerable<string> Written(Resource<ServiceEntry> entry) =>
        (entry.Status as ServiceEntryStatus)?.Addresses.Select(address => address.Value) ?? [];

    private Resource<ServiceEntry> Give(Resource<ServiceEntry> entry, HashSet<string> taken, Dictionary<(string, string), uint> byHost)
    {
        var status = new ServiceEntryStatus();
        foreach (string host in entry.Spec.Hosts.Where(host => !host.StartsWith('*')).Distinct())
        {
            // Entries of one host are one service, and have one address.
            if (!byHost.TryGetValue((entry.Namespace, host), out uint number))
                byHost.Add((entry.Namespace, host), number = Free($"{entry.Namespace}/{host}", taken));
            status.Addresses.Add(new ServiceEntryAddress { Host = host, Value = Four(number) });
            status.Addresses.Add(new ServiceEntryAddress { Host = host, Value = Six(number) });
        }
        if (_known.TryGetValue(entry.Key, out var known) && ReferenceEquals(known.Written, entry) && status.Equals(known.Given.Status))
            return known.Given;
        var given = Kinds.ServiceEntry.Create(entry.Namespace, entry.Name, entry.Spec, entry.Metadata, status, entry.Origin);
        _known[entry.Key] = (entry, given);
        return given;
    }

    private static uint Free(string key, HashSet<string> taken)
    {
        uint first = Hash(key) % AddressesMax;
        for (uint i = 0; i < AddressesMax; i++)
        {
            uint number = (first + i) % AddressesMax;
            // The first of all is the network's own.
            if (number > 0 && taken.Add(Four(number))) return number;
        }
        return 0;
    }

    private static string Four(uint number) => $"240.240.{number / PerOctet}.{number % PerOctet}";

    private static string Six(uint number) => $"2001:2::f0f0:{number:x}";

    // FNV-1a: the same on every machine and in every release.
    private static uint Hash(string text)
    {
        uint hash = 2166136261;
        foreach (byte b in Encoding.UTF8.GetBytes(text)) hash = (hash ^ b) * 16777619;
        return hash;
    }
}
