using System.Text.Json.Nodes;
using Google.Protobuf;
using Istio.Networking.V1Alpha3;
using Istio.Workload;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Operator;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;

namespace Lateen.ControlPlane.Debug;

/// <summary>The pages about what was made of configuration: what a sidecar may see, what node proxies are told, the last push.</summary>
internal static class ScopePages
{
    public static DebugPage Sidecarz(ControlLoop loop, QueryFields query, bool pretty)
    {
        if (ProxyPages.Find(loop, query, out DebugPage refusal) is not { } stream) return refusal;
        SidecarScope imports = stream.Session.Scope!.Imports;
        return ConnectionPages.Page(new JsonObject
        {
            ["destinationRules"] = new JsonObject([.. imports.DestinationRules.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .Select(pair => KeyValuePair.Create(pair.Key,
                    (JsonNode?)new JsonArray([.. pair.Value.Select(rule => (JsonNode)Rule(loop, rule))])))]),
            ["egressListenerServices"] =
                new JsonArray([.. imports.EgressListeners.Select(
                    listener => (JsonNode)new JsonArray([.. listener.Services.Select(service => (JsonNode)RegistryPages.Row(service))]))]),
            ["name"] = imports.Sidecar?.Origin.Name ?? "default-sidecar",
            ["namespace"] = imports.Namespace,
            ["outboundTrafficPolicy"] = Message(imports.OutboundTrafficPolicy),
            ["services"] = new JsonArray([.. imports.Services.Select(service => (JsonNode)RegistryPages.Row(service))]),
            ["servicesByHostname"] = new JsonObject([.. imports.ByHost.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)RegistryPages.Row(pair.Value)))]),
            ["sidecar"] = Message(imports.Sidecar?.Spec),
            ["version"] = stream.Session.Scope.Snapshot.Revision,
        }, pretty);
    }

    public static DebugPage Ambientz(ControlLoop loop, QueryFields query, bool pretty)
    {
        var page = new JsonObject { ["workloads"] = null, ["services"] = null, ["policies"] = null };
        // Without ambient mode nobody is told any of it.
        if (loop.Hub.Snapshot?.Settings.Features.Ambient == true
            && loop.Streams.Open.Select(stream => stream.Session.Scope).FirstOrDefault(scope => scope is not null) is { } scope)
        {
            Address[] all = [.. loop.Hub.Generate(TypeUrls.Address, scope, null).Select(resource => (Address)resource.Message)];
            page["workloads"] = Messages(all.Where(address => address.Workload is not null).Select(address => address.Workload));
            page["services"] = Messages(all.Where(address => address.Service is not null).Select(address => address.Service));
            page["policies"] = Messages(loop.Hub.Generate(TypeUrls.Authorization, scope, null).Select(resource => resource.Message));
        }
        return ConnectionPages.Page(page, pretty);
    }

    public static DebugPage PushContext(ControlLoop loop, QueryFields query, bool pretty) => ConnectionPages.Page(new JsonObject
    {
        ["AuthorizationPolicies"] = ConfigPages.Policies(loop), ["NetworkGateways"] = RegistryPages.Gateways(loop), ["UnresolvedGateways"] =
            null,
    }, pretty);

    public static DebugPage Inject(ControlLoop loop, QueryFields query, bool pretty) =>
        loop.Hub.Snapshot is not { } snapshot ? DebugPage.Json("{}")
            : ConnectionPages.Page(new JsonObject(
                [.. new Injection.InjectorConfigMap(loop.RootNamespace, loop.OwnRevision).Injection(loop.Configuration.View, snapshot)
                    .Config.Texts
                    .OrderBy(text => text.Key, StringComparer.Ordinal)
                    .Select(text => KeyValuePair.Create(text.Key, (JsonNode?)text.Value))]), pretty);

    private static JsonObject Rule(ControlLoop loop, MergedDestinationRule rule)
    {
        Origin origin = rule.Rule.Origin;
        ResourceMetadata? written = loop.Configuration.View.Find(Kinds.DestinationRule, origin.Namespace, origin.Name)?.Metadata;
        return new JsonObject
        {
            ["exportTo"] = new JsonObject(
                [.. rule.Export.Namespaces.Select(name => KeyValuePair.Create(name, (JsonNode?)new JsonObject()))]),
            ["from"] = new JsonArray(
                [.. rule.From.Select(from => (JsonNode)new JsonObject { ["Namespace"] = from.Namespace, ["Name"] = from.Name })]),
            ["rule"] = new JsonObject
            {
                ["type"] = new JsonObject
                {
                    ["group"] = Kinds.DestinationRule.Group,
                    ["version"] = Kinds.DestinationRule.Versions[0],
                    ["kind"] = Kinds.DestinationRule.Name,
                },
                ["uid"] = written?.Uid ?? "", ["name"] = origin.Name, ["namespace"] = origin.Namespace, ["domain"] = "cluster.local",
                ["annotations"] = new JsonObject(
                    [.. origin.Annotations.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value))]),
                ["resourceVersion"] = written?.ResourceVersion
                    ?? "", ["creationTimestamp"] = origin.Created.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"), ["generation"] = written?.Generation
                        ?? 0,
                ["Spec"] = Message(rule.Rule.Spec), ["Status"] = new JsonObject(), ["Extra"] = null,
            },
        };
    }

    private static JsonArray Messages(IEnumerable<IMessage> messages) => new([.. messages.Select(Message)]);

    private static JsonNode? Message(IMessage? message) =>
        message is null ? null : JsonNode.Parse(MessageWriter.ToJson(message, indented: false));
}
