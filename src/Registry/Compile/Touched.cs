namespace Lateen.Registry.Compile;

/// <summary>What a change of resources may have made different, gathered over all clusters.</summary>
internal sealed class Touched
{
    /// <summary>Services that some cluster declares anew, otherwise, or no longer.</summary>
    public HashSet<ServiceKey> Declared { get; } = [];

    /// <summary>Hosts of ServiceEntries that are no longer declared, or otherwise; their keys are among the declared ones.</summary>
    public HashSet<Service> Withdrawn { get; } = [];

    /// <summary>Hosts of ServiceEntries that are declared anew or otherwise.</summary>
    public List<Service> Announced { get; } = [];

    /// <summary>Services whose slices or entries are others, or name or select workloads that are.</summary>
    public HashSet<ServiceKey> Served { get; } = [];

    /// <summary>Workloads that are no more.</summary>
    public List<Workload> Gone { get; } = [];

    /// <summary>Workloads that are new.</summary>
    public List<Workload> Come { get; } = [];

    /// <summary>Nothing is touched.</summary>
    public bool IsNone => Declared.Count + Served.Count + Gone.Count + Come.Count == 0;
}
