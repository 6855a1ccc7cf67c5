using System.Runtime.CompilerServices;
using System.Text.Json;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Balancing;

/// <summary>Hosts laid out for consistent hashing. Immutable, shared by all workers.</summary>
public abstract class HashTable
{
    private static readonly ConditionalWeakTable<Host[], Dictionary<BalancerOptions, HashTable>> Built = [];

    /// <summary>The table for hosts of one priority; made once for a picture.</summary>
    internal static HashTable? Of(LocalityHosts[] localities, Host[] hosts, Func<LocalityHosts, Host[]>? part, BalancerOptions options,
        uint overprovisioning)
    {
        if (hosts.Length == 0)
            return null;
        Dictionary<BalancerOptions, HashTable> made = Built.GetOrCreateValue(hosts);
        lock (made)
        {
            if (!made.TryGetValue(options, out HashTable? table))
            {
                // Hosts of places without weight get nothing.
                (Host, double)[] weights = Weights(localities, hosts, part, options, overprovisioning);
                if (weights.Length == 0)
                    return null;
                table = options.Kind == BalancerKind.Maglev ? new MaglevTable(weights, options) : new HashRing(weights, options);
                if (options.HashBalanceFactor > 0)
                    table = new BoundedTable(table, weights, options.HashBalanceFactor);
                made[options] = table;
            }
            return table;
        }
    }

    /// <summary>Makes the tables of a picture, so that no worker has to when it takes the picture up: a large ring takes
    /// milliseconds.</summary>
    internal static void Prepare(HostSet hosts, BalancerOptions options)
    {
        if (options.Kind is not (BalancerKind.RingHash or BalancerKind.Maglev))
            return;
        foreach (PriorityHosts p in hosts.Priorities)
        {
            Of(p.Localities, p.All, static l => l.All, options, hosts.OverprovisioningFactor);
            Of(p.Localities, p.Healthy, static l => l.Healthy, options, hosts.OverprovisioningFactor);
            Of(p.Localities, p.Degraded, static l => l.Degraded, options, hosts.OverprovisioningFactor);
        }
    }

    /// <summary>The host for a hash; further attempts of one request give other hosts.</summary>
    public abstract Host? Choose(ulong hash, uint attempt);

    /// <summary>What a host is hashed by: its hash_key, else name or address.</summary>
    internal static string KeyOf(Host host, BalancerOptions options)
    {
        if (host.Endpoint.Metadata.TryGet("envoy.lb", ["hash_key"], out JsonElement key) && key.ValueKind == JsonValueKind.String
            && key.GetString() is { Length: > 0 } text)
            return text;
        return options.HashByHostname ? host.Endpoint.Hostname : host.Text;
    }

    /// <summary>A further attempt behaves as if the first host were not there.</summary>
    private protected static ulong Vary(ulong hash, uint attempt) => attempt > 0 ? hash ^ (~0ul - attempt + 1) : hash;

    private static (Host Host, double Weight)[] Weights(LocalityHosts[] localities, Host[] hosts, Func<LocalityHosts, Host[]>? part,
        BalancerOptions options, uint overprovisioning)
    {
        if (options.LocalityWeighted && part is not null)
            return LocalityWeights(localities, part, overprovisioning);
        double sum = hosts.Sum(h => (double)h.Endpoint.Weight);
        return [.. hosts.Select(h => (h, h.Endpoint.Weight / sum))];
    }

    private static (Host, double)[] LocalityWeights(LocalityHosts[] localities, Func<LocalityHosts, Host[]> part, uint overprovisioning)
    {
        var weighed = localities.Select(l => (Hosts: part(l), Weight: LocalityWeight.Of(l, part(l).Length, overprovisioning)))
            .Where(l => l.Weight > 0 && l.Hosts.Length > 0).ToArray();
        double total = weighed.Sum(l => l.Weight);
        return [.. weighed.SelectMany(l =>
        {
            double sum = l.Hosts.Sum(h => (double)h.Endpoint.Weight);
            return l.Hosts.Select(h => (h, l.Weight / total * h.Endpoint.Weight / sum));
        })];
    }
}

/// <summary>Weights of places.</summary>
internal static class LocalityWeight
{
    /// <summary>A place's weight times the share of its hosts that is available, overprovisioned, at most whole.</summary>
    public static double Of(LocalityHosts locality, int available, uint overprovisioning) =>
        locality.All.Length == 0 || available == 0
            ? 0 : locality.Weight * Math.Min(1.0, overprovisioning / 100.0 * available / locality.All.Length);
}

/// <summary>A ring (ketama): each host stands on it as often as its weight asks; a hash belongs to the next host upwards. Weights that
/// differ much ask for as many places as are allowed, millions, so a place takes twelve bytes and making it takes no more.</summary>
internal sealed class HashRing : HashTable
{
    private readonly ulong[] _hashes;
    private readonly int[] _places;
    private readonly Host[] _hosts;

    public HashRing((Host Host, double Weight)[] weights, BalancerOptions options)
    {
        double least = weights.Min(w => w.Weight);

        // The lightest host gets a whole number of places; the ring is no larger than allowed.
        double scale = Math.Min(Math.Ceiling(least * options.MinimumRingSize) / least, options.MaximumRingSize);
        _hosts = [.. weights.Select(w => w.Host)];
        int size = (int)Math.Ceiling(weights.Aggregate(0.0, (sum, w) => sum + (scale * w.Weight)));
        _hashes = new ulong[size];
        _places = new int[size];
        double target = 0;
        for (int host = 0, from = 0; host < _hosts.Length; host++)
        {
            target += scale * weights[host].Weight;
            int to = (int)Math.Ceiling(target);
            _places.AsSpan(from, to - from).Fill(host);
            Hash(KeyOf(_hosts[host], options), _hashes.AsSpan(from, to - from), options.Murmur2);
            from = to;
        }
        Array.Sort(_hashes, _places);
    }

    // A place's hash is that of the host's key and the place's number: "key_0", "key_1".
    private static void Hash(string key, Span<ulong> places, bool murmur)
    {
        byte[] text = new byte[System.Text.Encoding.UTF8.GetMaxByteCount(key.Length) + 11];
        int stem = System.Text.Encoding.UTF8.GetBytes(key, text);
        text[stem++] = (byte)'_';
        for (int i = 0; i < places.Length; i++)
        {
            i.TryFormat(text.AsSpan(stem), out int digits, default, System.Globalization.CultureInfo.InvariantCulture);
            ReadOnlySpan<byte> place = text.AsSpan(0, stem + digits);
            places[i] = murmur ? Hashing.Murmur64(place) : Hashing.XxHash64(place);
        }
    }

    /// <summary>Places on the ring.</summary>
    public int Size => _hashes.Length;

    public override Host? Choose(ulong hash, uint attempt)
    {
        hash = Vary(hash, attempt);
        int low = 0, high = _hashes.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_hashes[middle] < hash)
                low = middle + 1;
            else
                high = middle;
        }
        return _hosts[_places[low == _hashes.Length ? 0 : low]];
    }
}

/// <summary>Maglev (Eisenbud et al., NSDI 2016): hosts take turns to take their next free place of a table, weighted.</summary>
internal sealed class MaglevTable : HashTable
{
    private readonly Host[] _table;

    public MaglevTable((Host Host, double Weight)[] weights, BalancerOptions options)
    {
        int size = options.TableSize, filled = 0;
        _table = new Host[size];
        double most = weights.Max(w => w.Weight);
        var entries = new (ulong Offset, ulong Skip, ulong Next, double Target)[weights.Length];
        for (int i = 0; i < entries.Length; i++)
        {
            byte[] key = System.Text.Encoding.UTF8.GetBytes(KeyOf(weights[i].Host, options));
            entries[i] = (Hashing.XxHash64(key) % (ulong)size, Hashing.XxHash64(key, 1) % (ulong)(size - 1) + 1, 0, 0);
        }
        for (int round = 1; filled < size; round++)
        {
            for (int i = 0; i < entries.Length && filled < size; i++)
            {
                ref var e = ref entries[i];
                if (round * weights[i].Weight < e.Target)
                    continue;
                e.Target += most;
                ulong place = (e.Offset + e.Skip * e.Next) % (ulong)size;
                while (_table[place] is not null)
                    place = (e.Offset + e.Skip * ++e.Next) % (ulong)size;
                _table[place] = weights[i].Host;
                e.Next++;
                filled++;
            }
        }
    }

    public override Host? Choose(ulong hash, uint attempt) => _table[Vary(hash, attempt) % (ulong)_table.Length];
}
