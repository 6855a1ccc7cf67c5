using Lateen.Api.Documents;
using Lateen.Api.Schemas;
using Lateen.Config.Resources;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>Conditions in the status of objects that say that something of Istio's went wrong.</summary>
internal static class ConditionAnalysis
{
    private static readonly string[] Own = ["istio.io/", "ZtunnelAccepted", "WaypointAccepted"];

    public static void Run(AnalysisContext context)
    {
        foreach (var resource in context.View.Everything())
        {
            var isRoute = Kinds.IsOwnGroup(resource.Kind.Group) && !resource.Kind.MessageIsSpec;
            foreach (var (type, status, reason, message) in Conditions(resource))
            {
                // Other controllers keep conditions of their own on the same objects.
                var concerns = isRoute || Own.Any(o => type.StartsWith(o, StringComparison.Ordinal));
                if (concerns && (status == "False" || reason == "PartiallyInvalid"))
                {
                    context.Report(AnalysisCodes.NegativeConditionStatus, resource, "status", $"{type} is {status}: {reason}: {message}");
                    break;
                }
            }
        }
    }

    private static IEnumerable<(string Type, string Status, string Reason, string Message)> Conditions(Resource resource)
    {
        var message = resource.Kind.MessageIsSpec ? resource.Status : resource.Message;
        if (message is null || (resource.Kind.MessageIsSpec is false && SchemaSet.Of(message.GetType()).Field("status") is null)) return [];
        var root = MessageWriter.ToNode(message) as MappingNode;
        var status = resource.Kind.MessageIsSpec ? root : root?["status"] as MappingNode;
        var lists = new[] { status?["conditions"] }
            .Concat(((status?["parents"] as SequenceNode)?.Items ?? []).Select(p => (p as MappingNode)?["conditions"]))
            .Concat(((status?["ancestors"] as SequenceNode)?.Items ?? []).Select(p => (p as MappingNode)?["conditions"]))
            .Concat(((status?["listeners"] as SequenceNode)?.Items ?? []).Select(p => (p as MappingNode)?["conditions"]));
        return lists.OfType<SequenceNode>().SelectMany(l => l.Items).OfType<MappingNode>()
            .Select(c => (c.Text("type") ?? "", c.Text("status") ?? "", c.Text("reason") ?? "", c.Text("message") ?? ""));
    }
}
