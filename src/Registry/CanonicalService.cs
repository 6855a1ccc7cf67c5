namespace Lateen.Registry;

/// <summary>The service that a workload belongs to in the eyes of telemetry, whatever Services select it.</summary>
public static class CanonicalService
{
    /// <summary>Label that names it outright.</summary>
    public const string NameLabel = "service.istio.io/canonical-name";

    /// <summary>Label that names its revision outright.</summary>
    public const string RevisionLabel = "service.istio.io/canonical-revision";

    /// <summary>Revision of a workload that names none.</summary>
    public const string Latest = "latest";

    private static readonly string[] NameLabels = [NameLabel, "app.kubernetes.io/name", "app"];
    private static readonly string[] RevisionLabels = [RevisionLabel, "app.kubernetes.io/version", "version"];

    /// <summary>Name and revision by labels; the workload's name and <see cref="Latest"/> where there are none.</summary>
    public static (string Name, string Revision) Of(IReadOnlyDictionary<string, string> labels, string workloadName) =>
        (First(labels, NameLabels) ?? workloadName, First(labels, RevisionLabels) ?? Latest);

    private static string? First(IReadOnlyDictionary<string, string> labels, string[] names)
    {
        foreach (var name in names)
        {
            if (labels.TryGetValue(name, out var value) && value.Length > 0) return value;
        }
        return null;
    }
}
