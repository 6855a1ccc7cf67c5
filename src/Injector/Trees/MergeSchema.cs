namespace Lateen.Injector.Trees;

/// <summary>How lists of an object are merged: those with a key item by item, those of words as sets, all others as a whole.</summary>
internal sealed class MergeSchema
{
    private static readonly MergeSchema Leaf = new();
    private static readonly MergeSchema Container = new()
    {
        Keys =
        {
            ["env"] = "name",
            ["ports"] = "containerPort",
            ["volumeMounts"] = "mountPath",
            ["volumeDevices"] = "devicePath",
            ["resizePolicy"] = "",
        },
    };

    private static readonly MergeSchema PodSpec = new()
    {
        Keys =
        {
            ["containers"] = "name", ["initContainers"] = "name", ["ephemeralContainers"] = "name", ["volumes"] =
                "name", ["imagePullSecrets"] = "name", ["hostAliases"] = "ip",
            ["topologySpreadConstraints"] = "topologyKey", ["schedulingGates"] = "name", ["resourceClaims"] = "name",
        },
        Children =
        {
            ["containers"] = Container,
            ["initContainers"] = Container,
            ["ephemeralContainers"] = Container,
            ["volumes"] = new MergeSchema { IsOneOf = true },
        },
    };

    private static readonly MergeSchema Metadata = new() { Keys = { ["ownerReferences"] = "uid" }, Sets = { "finalizers" } };
    private static readonly MergeSchema Template = new() { Children = { ["metadata"] = Metadata, ["spec"] = PodSpec } };

    /// <summary>Keys of items by the name of the list.</summary>
    public Dictionary<string, string> Keys { get; } = new(StringComparer.Ordinal);

    /// <summary>Lists of words that are joined.</summary>
    public HashSet<string> Sets { get; } = [];

    /// <summary>Schemas of parts by name.</summary>
    public Dictionary<string, MergeSchema> Children { get; } = new(StringComparer.Ordinal);

    /// <summary>Beside its name an item has one part, and a patch with another part replaces it.</summary>
    public bool IsOneOf { get; init; }

    /// <summary>The schema of an object by its kind; one that merges objects and replaces lists for a kind without lists that
    /// matter.</summary>
    public static MergeSchema Of(string kind) => kind switch
    {
        "Pod" => Template,
        "Deployment" or "DaemonSet" or "StatefulSet" or "ReplicaSet"
            or "Job" => new MergeSchema { Children =
            {
                ["metadata"] = Metadata,
                ["spec"] = new MergeSchema { Children = { ["template"] = Template } },
            } },
        "Service" =>
            new MergeSchema { Children = { ["metadata"] = Metadata, ["spec"] = new MergeSchema { Keys = { ["ports"] = "port" } } } },
        "ServiceAccount" => new MergeSchema { Keys = { ["secrets"] = "name" }, Children = { ["metadata"] = Metadata } },
        _ => new MergeSchema { Children = { ["metadata"] = Metadata } },
    };

    /// <summary>The schema of a part.</summary>
    public MergeSchema Child(string name) => Children.GetValueOrDefault(name, Leaf);
}
