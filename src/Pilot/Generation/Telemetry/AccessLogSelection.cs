using Istio.Mesh.V1Alpha1;
using Istio.Telemetry.V1Alpha1;
using Lateen.Pilot.Generation.Inputs;

namespace Lateen.Pilot.Generation.Telemetry;

/// <summary>Which providers log, with which condition.</summary>
public static class AccessLogSelection
{
    /// <summary>One provider.</summary>
    /// <param name="Name">Provider.</param>
    /// <param name="Filter">CEL condition; empty for all.</param>
    /// <param name="IsDisabled">Switched off at some level.</param>
    public sealed record Choice(string Name, string Filter, bool IsDisabled = false);

    /// <summary>The providers in force; null when neither Telemetry nor default providers say anything and the older mesh settings
    /// count.</summary>
    public static IReadOnlyList<Choice>? Of(TelemetryScope scope, MeshConfig mesh, ListenerClass listenerClass)
    {
        ArgumentNullException.ThrowIfNull(scope);
        ArgumentNullException.ThrowIfNull(mesh);
        var levels = scope.Levels.Select(static l => l.AccessLogging).Where(static l => l.Count > 0).ToList();
        IReadOnlyList<string> defaults = mesh.DefaultProviders?.AccessLogging ?? [];
        if (levels.Count == 0) return defaults.Count == 0 ? null : defaults.Select(static d => new Choice(d, "")).ToList();
        var inScope = InScope(levels, defaults, listenerClass, out var filters);
        var chosen = new SortedDictionary<string, Choice>(StringComparer.Ordinal);
        var parents = defaults;
        foreach (var entry in levels.SelectMany(static l => l))
        {
            var names = entry.Providers.Count > 0 ? entry.Providers.Select(static p => p.Name).ToList() : parents;
            parents = names;
            foreach (var name in names.Where(inScope.Contains).Where(_ => IsFor(entry.Match?.Mode ?? default, listenerClass)))
            {
                if (entry.Disabled == true) chosen.Remove(name);
                else chosen[name] = new Choice(name, filters.GetValueOrDefault(name, ""));
            }
        }
        return chosen.Values.ToList();
    }

    // The last level that names providers decides which of them count at all. Of several entries of this way of traffic for a provider the
    // last has the condition.
    private static HashSet<string> InScope(
        IEnumerable<IReadOnlyList<AccessLogging>> levels, IEnumerable<string> defaults, ListenerClass listenerClass,
        out Dictionary<string, string> filters)
    {
        var result = defaults.ToHashSet(StringComparer.Ordinal);
        filters = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var level in levels)
        {
            var names = new HashSet<string>(StringComparer.Ordinal);
            foreach (var entry in level)
            {
                foreach (var provider in entry.Providers)
                {
                    names.Add(provider.Name);
                    if (IsFor(entry.Match?.Mode ?? default, listenerClass)) filters[provider.Name] = entry.Filter?.Expression ?? "";
                }
            }
            if (names.Count > 0) result = names;
        }
        return result;
    }

    /// <summary>Whether an entry for a mode is about this way of traffic.</summary>
    internal static bool IsFor(WorkloadMode mode, ListenerClass listenerClass) => mode switch
    {
        WorkloadMode.Client => listenerClass != ListenerClass.SidecarInbound,
        WorkloadMode.Server => listenerClass == ListenerClass.SidecarInbound,
        _ => true,
    };
}
