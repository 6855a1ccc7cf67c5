using Kubernetes.Core.V1;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Injector.BuiltIn;
using Lateen.Injector.Settings;
using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane.Injection;

/// <summary>Where templates and settings of injection come from: the ConfigMap of every installation, else what the product brings. Kept as
/// long as the ConfigMap is the same.</summary>
/// <param name="rootNamespace">Where it lies.</param>
/// <param name="revision">Whose it is; pods are told so.</param>
public sealed class InjectorConfigMap(string rootNamespace, string revision)
{
    private readonly string _name = Revisions.Named("istio-sidecar-injector", revision);
    private readonly Lock _gate = new();
    private Resource<ConfigMap>? _readFrom;
    private InjectionConfig? _read;

    /// <summary>The injection of a moment.</summary>
    /// <param name="view">What is written.</param>
    /// <param name="snapshot">What it means.</param>
    /// <exception cref="Injector.Templates.TemplateException">The ConfigMap is malformed.</exception>
    public MeshInjection Injection(ResourceView view, MeshSnapshot snapshot) => new()
    {
        Config = Config(view.Find(Kinds.ConfigMap, rootNamespace, _name)),
        Mesh = snapshot.Settings.Mesh,
        Revision = revision,
        NativeSidecars = MeshInjection.CanBeNative(
            [.. view.All(Kinds.Node).Select(node => node.Spec.Status?.NodeInfo?.KubeletVersion ?? "")]),
    };

    private InjectionConfig Config(Resource<ConfigMap>? map)
    {
        lock (_gate)
        {
            if (_read is not null && ReferenceEquals(map, _readFrom)) return _read;
            _read = map is null ? BuiltInInjection.With([])
                : InjectionConfig.Read(map.Spec.Data.GetValueOrDefault("config", ""), map.Spec.Data.GetValueOrDefault("values", "{}"));
            _readFrom = map;
            return _read;
        }
    }
}
