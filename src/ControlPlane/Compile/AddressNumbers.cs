using System.Text;

namespace Lateen.ControlPlane.Compile;

/// <summary>Numbers of addresses and who holds them. Who comes earlier is given the number that follows from its name, who comes later the
/// next free one.</summary>
/// <param name="written">Addresses that are nobody's to be given.</param>
internal sealed class AddressNumbers(HashSet<string> written)
{
    private const int PerOctet = 255;
    private const uint NumbersMax = PerOctet * PerOctet;

    // Entries of one host are one service, and have one address.
    private readonly Dictionary<(string Namespace, string Host), Lease> _leases = [];
    private readonly HashSet<uint> _taken = [];

    // Numbers that somebody would have if they were free.
    private readonly HashSet<uint> _missed = [];

    private sealed record Lease(uint Number)
    {
        public int Holders { get; set; } = 1;
    }

    /// <summary>The number of a host, for one holder more; 0 when there is none left. Asked for in the order of age.</summary>
    public uint Take(string ns, string host)
    {
        if (_leases.TryGetValue((ns, host), out Lease? known))
        {
            known.Holders++;
            return known.Number;
        }
        uint number = Free(First(ns, host));
        _leases.Add((ns, host), new Lease(number));
        return number;
    }

    /// <summary>The same where it makes no difference who is older; null where it might, and all are to be asked anew.</summary>
    public uint? TryTake(string ns, string host)
    {
        if (_leases.TryGetValue((ns, host), out Lease? known))
        {
            if (_missed.Contains(known.Number)) return null;
            known.Holders++;
            return known.Number;
        }
        uint first = First(ns, host);
        if (first == 0 || IsWritten(first) || !_taken.Add(first)) return null;
        _leases.Add((ns, host), new Lease(first));
        return first;
    }

    /// <summary>One holder less; false where others might have had the number, and all are to be asked anew.</summary>
    public bool TryGiveBack(string ns, string host)
    {
        if (!_leases.TryGetValue((ns, host), out Lease? lease) || _missed.Contains(lease.Number)) return false;
        if (--lease.Holders > 0) return true;
        _leases.Remove((ns, host));
        _taken.Remove(lease.Number);
        return true;
    }

    /// <summary>The IPv4 address of a number.</summary>
    public static string Four(uint number) => $"240.240.{number / PerOctet}.{number % PerOctet}";

    /// <summary>The IPv6 address of a number.</summary>
    public static string Six(uint number) => $"2001:2::f0f0:{number:x}";

    private uint Free(uint first)
    {
        for (uint i = 0; i < NumbersMax; i++)
        {
            uint number = (first + i) % NumbersMax;
            // The first of all is the network's own.
            if (number > 0 && !IsWritten(number) && _taken.Add(number)) return number;
            _missed.Add(number);
        }
        return 0;
    }

    private bool IsWritten(uint number) => written.Count > 0 && written.Contains(Four(number));

    // FNV-1a: the same on every machine and in every release.
    private static uint First(string ns, string host)
    {
        uint hash = 2166136261;
        foreach (byte b in Encoding.UTF8.GetBytes($"{ns}/{host}")) hash = (hash ^ b) * 16777619;
        return hash % NumbersMax;
    }
}
