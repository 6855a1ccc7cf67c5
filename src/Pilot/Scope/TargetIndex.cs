using System.Collections.Immutable;
using Lateen.Registry;

namespace Lateen.Pilot.Scope;

/// <summary>Services by what selects their workloads, so that a proxy finds its own without looking at all of them.</summary>
internal sealed class TargetIndex
{
    private readonly Dictionary<(string Namespace, string Key, string Value), List<int>> _bySelector = [];
    private readonly List<int> _byEndpoints = [];
    private readonly ImmutableArray<Service> _services;

    public TargetIndex(ImmutableArray<Service> services)
    {
        _services = services;
        for (var i = 0; i < services.Length; i++)
        {
            var service = services[i];
            if (service.Resolution == ServiceResolution.Alias) continue;
            if (service.Selector.Count == 0 || service.Source != ServiceSource.Kubernetes)
            {
                _byEndpoints.Add(i);
                continue;
            }
            // One pair of the selector is enough to find it by; the rest is compared then.
            var (key, value) = service.Selector.MinBy(pair => pair.Key, StringComparer.Ordinal);
            if (!_bySelector.TryGetValue((service.Namespace, key, value), out var places)) _bySelector.Add((service.Namespace, key, value), places = []);
            places.Add(i);
        }
    }

    /// <summary>Whether it is the index of these services.</summary>
    public bool IsOf(ImmutableArray<Service> services) => _services.AsSpan().SequenceEqual(services.AsSpan());

    /// <summary>Services that may have a workload of this namespace with these labels behind them, oldest first.</summary>
    public IEnumerable<Service> Candidates(string ns, IReadOnlyDictionary<string, string> labels)
    {
        var places = new List<int>(_byEndpoints);
        foreach (var (key, value) in labels)
        {
            if (_bySelector.TryGetValue((ns, key, value), out var found)) places.AddRange(found);
        }
        places.Sort();
        return places.Select(place => _services[place]);
    }
}
