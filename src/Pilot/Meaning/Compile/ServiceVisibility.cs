using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Mesh.V1Alpha1;
using Lateen.Registry;
using Visibility = Istio.Mesh.V1Alpha1.MeshConfig.Types.ServiceEntryVisibility.Types.Visibility;

namespace Lateen.Pilot.Meaning.Compile;

/// <summary>Who sees which service.</summary>
internal static class ServiceVisibility
{
    public static ServiceIndex Index(RegistryView registry, MeshSettings settings)
    {
        var services = registry.Services;
        var limits = settings.Mesh.ServiceEntryVisibility;
        var open = ImmutableArray.CreateBuilder<Service>(services.Length);
        var own = new Dictionary<string, List<Service>>();
        var exported = new Dictionary<string, List<Service>>();
        var limited = new Dictionary<Service, Export>();
        foreach (var service in services)
        {
            var export = Export.Of(service.ExportTo, service.Namespace, settings.Mesh.DefaultServiceExportTo);
            if (limits?.ApplyToSidecars == true && service.Source == ServiceSource.ServiceEntry)
            {
                export = Limit(export, service.Namespace, LimitOf(limits, registry.Namespaces.GetValueOrDefault(service.Namespace)));
            }
            if (export.IsPublic)
            {
                open.Add(service);
                continue;
            }
            limited[service] = export;
            if (export.IsNone) continue;
            foreach (var ns in export.Namespaces)
            {
                var target = ns == service.Namespace ? own : exported;
                if (!target.TryGetValue(ns, out var list)) target.Add(ns, list = []);
                list.Add(service);
            }
        }
        return new ServiceIndex
        {
            Limited = limited,
            Public = open.ToImmutable(),
            PrivateByNamespace = own.ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToImmutableArray()),
            ExportedToNamespace = exported.ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToImmutableArray()),
        };
    }

    /// <summary>What an entry may be exported to at most, whatever it says itself.</summary>
    public static Export Limit(Export export, string ownNamespace, Visibility limit) => limit switch
    {
        Visibility.None => Export.Of(["~"], ownNamespace, []),
        Visibility.Namespace => export.Includes(ownNamespace) ? Export.Of(["."], ownNamespace, []) : Export.Of(["~"], ownNamespace, []),
        _ => export,
    };

    /// <summary>The limit for a namespace: of the first policy that selects it, else the default.</summary>
    public static Visibility LimitOf(MeshConfig.Types.ServiceEntryVisibility limits, IReadOnlyDictionary<string, string>? labels)
    {
        foreach (var policy in limits.Policies)
        {
            if (policy.MatchingRules.Any(
                rule => rule.NamespaceSelector is not null
                    && Lateen.Config.Resources.LabelSelectors.Selects(rule.NamespaceSelector,
                        labels ?? FrozenDictionary<string, string>.Empty)))
            {
                return policy.Visibility;
            }
        }
        return limits.DefaultVisibility;
    }
}
