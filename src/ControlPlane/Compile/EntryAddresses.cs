using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Registry.Compile;

namespace Lateen.ControlPlane.Compile;

/// <summary>
/// Addresses of ServiceEntries that have none, as Istio's allocator gives them: from 240.240.0.0/16 and 2001:2::/48, which nobody routes.
/// An application that asks its sidecar's DNS gets one, and connections to it are told apart by it. An address follows from namespace and
/// host, so that it is the same after a restart; of two that fall together the younger moves on.
/// </summary>
/// <remarks>Entries that change are worked in. Where others may have to move on, or back, all are given theirs anew.</remarks>
public sealed class EntryAddresses
{
    private const string OptOut = "networking.istio.io/enable-autoallocate-ip";
    private readonly Dictionary<ResourceKey, Holding> _holdings = [];
    private AddressNumbers _numbers = new([]);
    private IReadOnlyList<Resource<ServiceEntry>> _written = [], _given = [];

    private sealed record Holding(
        Resource<ServiceEntry> Written, Resource<ServiceEntry> Given, IReadOnlyList<(string Host, uint Number)> Numbers);

    /// <summary>The entries with what they were given; one that did not change is the object of the last time.</summary>
    /// <param name="entries">As written, oldest first.</param>
    public IReadOnlyList<Resource<ServiceEntry>> Of(IReadOnlyList<Resource<ServiceEntry>> entries)
    {
        if (ReferenceEquals(_written, entries)) return _given;
        var change = ListChange<Resource<ServiceEntry>>.Between(_written, entries);
        if (_written.Count > 0 && TryFollow(change)) _given = Followed(entries, [.. change.Gone]);
        else
        {
            Anew(entries);
            _given = [.. entries.Select(GivenTo)];
        }
        _written = entries;
        return _given;
    }

    /// <summary>Whether an entry is to be given addresses.</summary>
    public static bool IsWanting(Resource<ServiceEntry> entry) =>
        entry.Spec.Addresses.Count == 0 && entry.Spec.Resolution != ServiceEntry.Types.Resolution.None
            && entry.Labels.GetValueOrDefault(OptOut) != "false"
        && !Written(entry).Any() && entry.Spec.Hosts.Any(host => !host.StartsWith('*'));

    private static IEnumerable<string> Written(Resource<ServiceEntry> entry) =>
        (entry.Status as ServiceEntryStatus)?.Addresses.Select(address => address.Value) ?? [];

    private static IEnumerable<string> HostsOf(Resource<ServiceEntry> entry) =>
        IsWanting(entry) ? entry.Spec.Hosts.Where(host => !host.StartsWith('*')).Distinct() : [];

    // ---- a few changes

    private bool TryFollow(ListChange<Resource<ServiceEntry>> change)
    {
        var gone = change.Gone.ToDictionary(entry => entry.Key);
        var come = new List<Resource<ServiceEntry>>();
        foreach (Resource<ServiceEntry> entry in change.Come)
        {
            if (!gone.TryGetValue(entry.Key, out Resource<ServiceEntry>? before) || !WantsTheSame(entry, before)) come.Add(entry);
            else
            {
                gone.Remove(entry.Key);
                if (_holdings.TryGetValue(entry.Key, out Holding? known)) Hold(entry, known.Numbers);
            }
        }
        // What is written there is taken from all.
        return !gone.Values.Concat(come).SelectMany(Written).Any() && gone.Values.All(TryLeave) && come.TrueForAll(TryJoin);
    }

    // As old as it was, and with the same wishes, it keeps what it has.
    private static bool WantsTheSame(Resource<ServiceEntry> entry, Resource<ServiceEntry> before) =>
        entry.Metadata.CreationTime == before.Metadata.CreationTime && HostsOf(entry).SequenceEqual(HostsOf(before))
            && Written(entry).SequenceEqual(Written(before));

    private bool TryLeave(Resource<ServiceEntry> entry) => !_holdings.Remove(entry.Key, out Holding? left)
        || left.Numbers.All(held => _numbers.TryGiveBack(entry.Namespace, held.Host));

    private bool TryJoin(Resource<ServiceEntry> entry)
    {
        var taken = new List<(string Host, uint Number)>();
        foreach (string host in HostsOf(entry))
        {
            if (_numbers.TryTake(entry.Namespace, host) is not { } number) return false;
            taken.Add((host, number));
        }
        if (taken.Count > 0) Hold(entry, taken);
        return true;
    }

    // Most stand where they stood.
    private List<Resource<ServiceEntry>> Followed(IReadOnlyList<Resource<ServiceEntry>> entries, HashSet<Resource<ServiceEntry>> gone)
    {
        (var given, int at) = (new List<Resource<ServiceEntry>>(entries.Count), 0);
        foreach (Resource<ServiceEntry> entry in entries)
        {
            while (at < _written.Count && gone.Contains(_written[at])) at++;
            given.Add(at < _written.Count && ReferenceEquals(_written[at], entry) ? _given[at++] : GivenTo(entry));
        }
        return given;
    }

    private Resource<ServiceEntry> GivenTo(Resource<ServiceEntry> entry) =>
        _holdings.TryGetValue(entry.Key, out Holding? held) ? held.Given : entry;

    // ---- all of them

    private void Anew(IReadOnlyList<Resource<ServiceEntry>> entries)
    {
        _numbers = new AddressNumbers([.. entries.SelectMany(Written)]);
        var wanting = new HashSet<ResourceKey>();
        foreach (Resource<ServiceEntry> entry in entries)
        {
            List<(string Host, uint Number)> taken = [.. HostsOf(entry).Select(host => (host, _numbers.Take(entry.Namespace, host)))];
            if (taken.Count == 0) continue;
            Hold(entry, taken);
            wanting.Add(entry.Key);
        }
        foreach (ResourceKey gone in _holdings.Keys.Where(key => !wanting.Contains(key)).ToList()) _holdings.Remove(gone);
    }

    private void Hold(Resource<ServiceEntry> entry, IReadOnlyList<(string Host, uint Number)> numbers)
    {
        Holding? known = _holdings.GetValueOrDefault(entry.Key);
        bool isSame = known is not null && known.Numbers.SequenceEqual(numbers);
        if (isSame && ReferenceEquals(known!.Written, entry)) return;
        Google.Protobuf.IMessage status = isSame ? known!.Given.Status! : StatusOf(numbers);
        _holdings[entry.Key] = new Holding(entry,
            Kinds.ServiceEntry.Create(entry.Namespace, entry.Name, entry.Spec, entry.Metadata, status, entry.Origin), numbers);
    }

    private static ServiceEntryStatus StatusOf(IReadOnlyList<(string Host, uint Number)> numbers)
    {
        var status = new ServiceEntryStatus();
        foreach ((string host, uint number) in numbers)
        {
            status.Addresses.Add(new ServiceEntryAddress { Host = host, Value = AddressNumbers.Four(number) });
            status.Addresses.Add(new ServiceEntryAddress { Host = host, Value = AddressNumbers.Six(number) });
        }
        return status;
    }
}
