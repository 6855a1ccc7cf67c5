using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;

namespace Lateen.Config.Sources.Kubernetes.Access;

/// <summary>Reads kubeconfigs and chooses a context.</summary>
public sealed class KubeConfigReader(TimeProvider time)
{
    /// <summary>Parts of a kubeconfig that give somebody a way to run programs or to skip checks; who takes kubeconfigs from others refuses
    /// them.</summary>
    [Flags]
    public enum Allow
    {
        None = 0,
        Exec = 1,
        Insecure = 2,
        Files = 4,
        Proxy = 8,
        Everything = Exec | Insecure | Files | Proxy,
    }

    /// <summary>The access of a context out of files; null with diagnostics when there is none.</summary>
    /// <param name="files">In the order of KUBECONFIG. One that does not exist is passed over when there are several.</param>
    /// <param name="context">The context; null for the current one.</param>
    /// <param name="diagnostics">Where mistakes go.</param>
    public ClusterAccess? Read(IReadOnlyList<string> files, string? context, DiagnosticBag diagnostics)
    {
        var texts = new List<(string File, string Text)>();
        foreach (var file in files)
        {
            try
            {
                texts.Add((file, File.ReadAllText(file)));
            }
            catch (FileNotFoundException) when (files.Count > 1)
            {
                // As kubectl does: KUBECONFIG may name what is not there yet.
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                diagnostics.Add(DocumentCodes.Unreadable, new SourcePosition(file, 0, 0), "", e.Message);
            }
        }

        return diagnostics.HasErrors ? null : Read(texts, context, Allow.Everything, diagnostics);
    }

    /// <summary>The access of a context out of a text, as a secret of a remote cluster has it.</summary>
    public ClusterAccess? Read(string text, string name, string? context, Allow allow, DiagnosticBag diagnostics) =>
        Read([(name, text)], context, allow, diagnostics);

    private ClusterAccess? Read(IReadOnlyList<(string File, string Text)> texts, string? context, Allow allow, DiagnosticBag diagnostics)
    {
        var config = Merge(texts, diagnostics);
        if (diagnostics.HasErrors) return null;
        var name = context ?? config.CurrentContext;
        var at = new SourcePosition(texts.Count > 0 ? texts[0].File : "", 0, 0);
        if (name.Length == 0)
        {
            diagnostics.Add(AccessCodes.NoContext, at, "current-context", "no context is named, and the kubeconfig has no current-context");
            return null;
        }

        if (Find(config.Contexts, name, "context", at, diagnostics) is not { } chosen) return null;
        var cluster = Find(config.Clusters, chosen.Node.Text("cluster") ?? "", "cluster", at, diagnostics);
        var userName = chosen.Node.Text("user") ?? "";
        var user = userName.Length == 0 ? null : Find(config.Users, userName, "user", at, diagnostics);
        return cluster is null || diagnostics.HasErrors
            ? null : new AccessBuilder(time, allow, diagnostics).Build(name, chosen.Node.Text("namespace") ?? "", cluster, user);
    }

    private static KubeConfig Merge(IReadOnlyList<(string File, string Text)> texts, DiagnosticBag diagnostics)
    {
        var (clusters, users, contexts, current) =
            (new Dictionary<string, KubeEntry>(), new Dictionary<string, KubeEntry>(), new Dictionary<string, KubeEntry>(), "");
        foreach (var (file, text) in texts)
        {
            if (DocumentReader.ReadSingle(text, file, diagnostics) is not MappingNode root) continue;
            current = current.Length > 0 ? current : root.Text("current-context") ?? "";
            Collect(root, "clusters", "cluster", file, clusters);
            Collect(root, "users", "user", file, users);
            Collect(root, "contexts", "context", file, contexts);
        }

        return new KubeConfig { CurrentContext = current, Clusters = clusters, Users = users, Contexts = contexts };
    }

    private static void Collect(MappingNode root, string list, string member, string file, Dictionary<string, KubeEntry> into)
    {
        foreach (var item in (root[list] as SequenceNode)?.Items.OfType<MappingNode>() ?? [])
        {
            // Names may look like numbers.
            if (item["name"] is ScalarNode name)
                into.TryAdd(name.Value,
                    new KubeEntry(name.Value, item[member] as MappingNode ?? new MappingNode([], item.Line, item.Column), file));
        }
    }

    private static KubeEntry? Find(IReadOnlyDictionary<string, KubeEntry> entries, string name, string what, SourcePosition at,
        DiagnosticBag diagnostics)
    {
        if (entries.TryGetValue(name, out var entry)) return entry;
        diagnostics.Add(AccessCodes.NoContext, at, what + "s",
            $"there is no {what} \"{name}\"{Suggestions.DidYouMean(name, entries.Keys)}");
        return null;
    }
}
