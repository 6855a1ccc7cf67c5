namespace Lateen.Config.Sources.Kubernetes.Access;

/// <summary>A named part of a kubeconfig: its YAML, and the folder that its paths are relative to.</summary>
internal sealed record KubeEntry(string Name, Lateen.Api.Documents.MappingNode Node, string File)
{
    public string Folder => Path.GetDirectoryName(Path.GetFullPath(File)) ?? "/";
}

/// <summary>One kubeconfig, or several merged as kubectl merges those of KUBECONFIG: the first file that names something wins.</summary>
internal sealed record KubeConfig
{
    public string CurrentContext { get; init; } = "";

    public IReadOnlyDictionary<string, KubeEntry> Clusters { get; init; } = new Dictionary<string, KubeEntry>();

    public IReadOnlyDictionary<string, KubeEntry> Users { get; init; } = new Dictionary<string, KubeEntry>();

    public IReadOnlyDictionary<string, KubeEntry> Contexts { get; init; } = new Dictionary<string, KubeEntry>();
}
