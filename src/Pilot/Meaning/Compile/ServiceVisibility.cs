using System.Collections.Frozen;
using System.Collections.Immutable;
using Lateen.Registry;

namespace Lateen.Pilot.Meaning.Compile;

/// <summary>Who sees which service.</summary>
internal static class ServiceVisibility
{
    public static ServiceIndex Index(ImmutableArray<Service> services, MeshSettings settings)
    {
        var open = ImmutableArray.CreateBuilder<Service>(services.Length);
        var own = new Dictionary<string, List<Service>>();
        var exported = new Dictionary<string, List<Service>>();
        var exports = new Dictionary<Service, Export>(services.Length);
        foreach (var service in services)
        {
            var export = Export.Of(service.ExportTo, service.Namespace, settings.Mesh.DefaultServiceExportTo);
            exports[service] = export;
            if (export.IsNone) continue;
            if (export.IsPublic)
            {
                open.Add(service);
                continue;
            }
            foreach (var ns in export.Namespaces)
            {
                var target = ns == service.Namespace ? own : exported;
                if (!target.TryGetValue(ns, out var list)) target.Add(ns, list = []);
                list.Add(service);
            }
        }
        return new ServiceIndex
        {
            Exports = exports.ToFrozenDictionary(),
            Public = open.ToImmutable(),
            PrivateByNamespace = own.ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToImmutableArray()),
            ExportedToNamespace = exported.ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToImmutableArray()),
        };
    }
}
