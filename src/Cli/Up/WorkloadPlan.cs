using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Lateen.Cli.Up;

/// <summary>A workload to run: what a Pod says of itself, and the program.</summary>
public sealed partial record WorkloadPlan
{
    /// <summary>The name of the Pod.</summary>
    public required string Name { get; init; }

    /// <summary>The Deployment that it is of, in Istio's words the workload's name.</summary>
    public required string Deployment { get; init; }

    public string Namespace { get; init; } = "default";

    public string ServiceAccount { get; init; } = "default";

    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>The ports it listens on; the first one is told to the program as PORT.</summary>
    public IReadOnlyList<int> Ports { get; init; } = [];

    /// <summary>The program and its arguments, $(NAME) not yet replaced; empty for a gateway, which is the proxy alone.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>What the Deployment adds to its environment.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>The folder it starts in.</summary>
    public string Folder { get; init; } = ".";

    /// <summary>True for a gateway.</summary>
    public bool IsGateway { get; init; }

    /// <summary>What stands behind the Deployment's name in the names of its ReplicaSet and Pods.</summary>
    public string TemplateHash => Hash(Deployment + string.Join(',', Labels.OrderBy(l => l.Key, StringComparer.Ordinal)), 9);

    /// <summary>The workloads of a Deployment, one for each replica.</summary>
    /// <param name="deployment">The resource.</param>
    /// <param name="folder">The folder it was read from.</param>
    /// <param name="place">file:line for messages.</param>
    public static IEnumerable<WorkloadPlan> OfDeployment(JsonObject deployment, string folder, string place)
    {
        string name = deployment["metadata"]?["name"]?.ToString() ?? throw new CommandException($"{place}: a Deployment without a name");
        JsonNode? template = deployment["spec"]?["template"], pod = template?["spec"];
        JsonNode? container = (pod?["containers"] as JsonArray)?.FirstOrDefault();
        string[] command = [.. Texts(container?["command"]), .. Texts(container?["args"])];
        if (command.Length == 0)
            throw new CommandException($"{place}: the Deployment {name} does not tell which program to run",
                "`lateen up` runs programs of this machine, not images: write the first container's command and args.");
        var plan = new WorkloadPlan
        {
            Name = name,
            Deployment = name,
            Namespace = deployment["metadata"]?["namespace"]?.ToString() ?? "default",
            ServiceAccount = pod?["serviceAccountName"]?.ToString() ?? "default",
            Labels = Map(template?["metadata"]?["labels"]),
            Ports = [.. (container?["ports"] as JsonArray ?? []).Select(port => (int)(port?["containerPort"]?.GetValue<long>() ?? 0))
                .Where(port => port > 0)],
            Command = command,
            Environment = EnvironmentOf(container?["env"] as JsonArray ?? []),
            Folder = Path.GetFullPath(container?["workingDir"]?.ToString() ?? ".", Path.GetFullPath(folder)),
        };
        long replicas = deployment["spec"]?["replicas"]?.GetValue<long>() ?? 1;
        for (int i = 0; i < replicas; i++) yield return plan with { Name = $"{name}-{plan.TemplateHash}-{Hash(name + i, 5)}" };
    }

    /// <summary>The gateway that Istio's charts install.</summary>
    public static WorkloadPlan Ingress() => new()
    {
        Name = "istio-ingressgateway-" + Hash("istio-ingressgateway", 5),
        Deployment = "istio-ingressgateway",
        Namespace = "istio-system",
        ServiceAccount = "istio-ingressgateway-service-account",
        Labels = new Dictionary<string, string> { ["app"] = "istio-ingressgateway", ["istio"] = "ingressgateway" },
        IsGateway = true,
    };

    /// <summary>A workload that joins with `lateen run`.</summary>
    public static WorkloadPlan Joining(string name, IReadOnlyDictionary<string, string> labels, IReadOnlyList<int> ports,
        string inNamespace, string serviceAccount) => new()
        {
            Name = $"{name}-{Hash(Guid.NewGuid().ToString(), 5)}",
            Deployment = name,
            Namespace = inNamespace,
            ServiceAccount = serviceAccount,
            Labels = labels,
            Ports = ports,
        };

    /// <summary>Replaces $(NAME) as Kubernetes does: what is not known stays, $$ is a dollar.</summary>
    public static string Expand(string text, IReadOnlyDictionary<string, string> environment) => Reference().Replace(text, match =>
        match.Value == "$$" ? "$" : environment.GetValueOrDefault(match.Groups[1].Value, match.Value));

    [GeneratedRegex(@"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")]
    private static partial Regex Reference();

    private static Dictionary<string, string> EnvironmentOf(JsonArray list)
    {
        var environment = new Dictionary<string, string>();
        foreach (JsonNode? entry in list)
        {
            string? field = entry?["valueFrom"]?["fieldRef"]?["fieldPath"]?.ToString();
            string? value = field switch
            {
                null => entry?["value"]?.ToString() ?? "",
                "metadata.name" => "$(POD_NAME)",
                "metadata.namespace" => "$(POD_NAMESPACE)",
                "status.podIP" => "$(POD_IP)",
                "spec.serviceAccountName" => "$(SERVICE_ACCOUNT)",
                _ => null,
            };
            if (entry?["name"]?.ToString() is { } name && value is not null) environment[name] = value;
        }
        return environment;
    }

    private static IEnumerable<string> Texts(JsonNode? list) => (list as JsonArray ?? []).Select(item => item?.ToString() ?? "");

    private static Dictionary<string, string> Map(JsonNode? node) =>
        (node as JsonObject ?? []).ToDictionary(pair => pair.Key, pair => pair.Value?.ToString() ?? "");

    // The letters of Kubernetes' names: no vowels and nothing that looks like something else.
    private static string Hash(string text, int length)
    {
        const string letters = "bcdfghjklmnpqrstvwxz2456789";
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(text));
        return string.Concat(hash.Take(length).Select(b => letters[b % letters.Length]));
    }
}
