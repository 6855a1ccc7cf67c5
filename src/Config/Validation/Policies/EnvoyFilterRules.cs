using Google.Protobuf;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using ApplyTo = Istio.Networking.V1Alpha3.EnvoyFilter.Types.ApplyTo;
using Codes = Lateen.Config.Validation.ValidationCodes;
using Match = Istio.Networking.V1Alpha3.EnvoyFilter.Types.EnvoyConfigObjectMatch;
using Operation = Istio.Networking.V1Alpha3.EnvoyFilter.Types.Patch.Types.Operation;

namespace Lateen.Config.Validation.Policies;

/// <summary>EnvoyFilter: matches that fit what is patched, and values that Envoy's messages can take.</summary>
internal static class EnvoyFilterRules
{
    public static void Check(Findings f, EnvoyFilter filter)
    {
        Rules.SelectorLabels(f, "spec.workloadSelector.labels", filter.WorkloadSelector?.Labels ?? []);
        f.ErrorIf(filter.WorkloadSelector is not null && filter.TargetRefs.Count > 0, Codes.Exclusive, "spec",
            "only one of targetRefs or workloadSelector can be set");
        for (var i = 0; i < filter.TargetRefs.Count; i++) Rules.Target(f, $"spec.targetRefs[{i}]", filter.TargetRefs[i]);
        f.WarnIf(filter.ConfigPatches.Count > 0, Codes.PatchInternals, "spec",
            "EnvoyFilter exposes internal implementation details that may change at any time; prefer other kinds where one can say it");
        for (var i = 0; i < filter.ConfigPatches.Count; i++) Patch(f, $"spec.configPatches[{i}]", filter.ConfigPatches[i]);
    }

    private static void Patch(Findings f, string path, EnvoyFilter.Types.EnvoyConfigObjectPatch patch)
    {
        f.ErrorIf(patch.ApplyTo == ApplyTo.Invalid, Codes.Patch, path + ".applyTo", "Envoy filter: missing applyTo");
        if (patch.Patch is not { } change)
        {
            f.Error(Codes.Patch, path + ".patch", "Envoy filter: missing patch");
            return;
        }

        f.ErrorIf(change.Operation == Operation.Invalid, Codes.Patch, path + ".patch.operation", "Envoy filter: missing patch operation");
        f.ErrorIf(change.Operation is not (Operation.Remove or Operation.Invalid) && change.Value is null, Codes.Patch,
            path + ".patch.value", "Envoy filter: missing patch value for non-remove operation");
        ProxyVersion(f, path + ".match.proxy.proxyVersion", patch.Match?.Proxy?.ProxyVersion ?? "");
        MatchFits(f, path + ".match", patch.ApplyTo, patch.Match);
        OperationFits(f, path + ".patch.operation", patch.ApplyTo, change.Operation);
        if (change.Value is not null && change.Operation != Operation.Remove) Value(f, path + ".patch.value", patch.ApplyTo, change.Value);
    }

    private static void ProxyVersion(Findings f, string path, string regex)
    {
        if (regex.Length > RegexSyntax.CharsMax)
            f.Warn(Codes.PatchDoubtful, path,
                $"Envoy filter: proxyVersion match exceeds {RegexSyntax.CharsMax} characters and will be ignored");
        else if (regex.Length > 0 && RegexSyntax.Problem(regex) is { } reason)
            f.Error(Codes.Patch, path, $"Envoy filter: invalid regex for proxy version, [{reason}]");
    }

    private static void MatchFits(Findings f, string path, ApplyTo applyTo, Match? match)
    {
        var kind = match?.ObjectTypesCase ?? Match.ObjectTypesOneofCase.None;
        if (match is null || kind == Match.ObjectTypesOneofCase.None) return;
        if (kind == Match.ObjectTypesOneofCase.Waypoint)
        {
            f.ErrorIf(match.Context != EnvoyFilter.Types.PatchContext.Waypoint, Codes.Patch, path,
                "Envoy filter: only support waypointMatch when context is WAYPOINT");
            return;
        }

        switch (applyTo)
        {
            case ApplyTo.Cluster:
                f.ErrorIf(kind != Match.ObjectTypesOneofCase.Cluster, Codes.Patch, path,
                    "Envoy filter: applyTo for cluster class objects cannot have non cluster match");
                break;
            case ApplyTo.RouteConfiguration or ApplyTo.VirtualHost or ApplyTo.HttpRoute:
                f.ErrorIf(kind != Match.ObjectTypesOneofCase.RouteConfiguration, Codes.Patch, path,
                    "Envoy filter: applyTo for http route class objects cannot have non route configuration match");
                break;
            case ApplyTo.Listener or ApplyTo.FilterChain or ApplyTo.NetworkFilter or ApplyTo.HttpFilter or ApplyTo.ListenerFilter:
                f.ErrorIf(kind != Match.ObjectTypesOneofCase.Listener, Codes.Patch, path,
                    "Envoy filter: applyTo for listener class objects cannot have non listener match");
                break;
        }

        var inner = match.Listener?.FilterChain?.Filter;
        f.ErrorIf(inner?.SubFilter is { Name.Length: 0 }, Codes.Patch, path + ".listener.filterChain.filter.subFilter",
            "Envoy filter: subfilter match has no name to match on");
        f.ErrorIf(inner is { SubFilter: null, Name.Length: 0 }, Codes.Patch, path + ".listener.filterChain.filter",
            "Envoy filter: filter match has no name to match on");
        f.ErrorIf(inner?.SubFilter is not null && applyTo is not ApplyTo.HttpFilter, Codes.Patch,
            path + ".listener.filterChain.filter.subFilter", "Envoy filter: subfilter match can be used with HTTP_FILTER only");
    }

    private static void OperationFits(Findings f, string path, ApplyTo applyTo, Operation operation)
    {
        var isFilter = applyTo is ApplyTo.NetworkFilter or ApplyTo.HttpFilter or ApplyTo.ListenerFilter;
        f.ErrorIf(operation == Operation.Replace && applyTo is not (ApplyTo.NetworkFilter or ApplyTo.HttpFilter or ApplyTo.ListenerFilter),
            Codes.Patch, path,
            "Envoy filter: REPLACE is supported for HTTP_FILTER and NETWORK_FILTER only");
        var isInsert = operation is Operation.InsertBefore or Operation.InsertAfter or Operation.InsertFirst;
        f.WarnIf(isInsert && !isFilter && applyTo is not (ApplyTo.HttpRoute or ApplyTo.VirtualHost), Codes.PatchDoubtful, path,
            "this operation has no effect on what is patched");
        f.WarnIf(operation is Operation.Merge or Operation.MergeAndReplaceList && applyTo == ApplyTo.ExtensionConfig, Codes.PatchDoubtful,
            path, "an extension config can only be added");
    }

    /// <summary>The value must be readable as the message that it becomes part of.</summary>
    private static void Value(Findings f, string path, ApplyTo applyTo, Google.Protobuf.WellKnownTypes.Struct value)
    {
        if (Target(applyTo) is not { } target) return;
        var found = new DiagnosticBag();
        new MessageReader("", found, UnknownFields.Warning).ReadInto(StructNodes.ToNode(value), target);
        foreach (var finding in found)
        {
            var at = finding.Path.Length > 0 ? $"{path}.{finding.Path}" : path;
            if (finding.Code == DocumentCodes.UnknownType) UnknownType(f, at, finding.Text);
            else if (finding.IsError) f.Error(Codes.Patch, at, $"Envoy filter: {finding.Text}");
            else f.Warn(Codes.PatchDoubtful, at, $"unknown field: {finding.Text}");
        }
    }

    private static void UnknownType(Findings f, string path, string text)
    {
        if (text.Contains(".v2", StringComparison.Ordinal) || text.Contains("v2alpha", StringComparison.Ordinal))
        {
            f.Error(Codes.Patch, path, $"Envoy filter: referenced type unknown (hint: try using the v3 XDS API): {text}");
        }
        else
        {
            // An extension that a foreign proxy may have and this one does not know.
            f.Warn(Codes.PatchDoubtful, path, $"Envoy filter: {text}");
        }
    }

    private static IMessage? Target(ApplyTo applyTo) => applyTo switch
    {
        ApplyTo.Cluster => new Envoy.Config.Cluster.V3.Cluster(),
        ApplyTo.Listener => new Envoy.Config.Listener.V3.Listener(),
        ApplyTo.RouteConfiguration => new Envoy.Config.Route.V3.RouteConfiguration(),
        ApplyTo.FilterChain => new Envoy.Config.Listener.V3.FilterChain(),
        ApplyTo.HttpFilter => new Envoy.Extensions.Filters.Network.HttpConnectionManager.V3.HttpFilter(),
        ApplyTo.NetworkFilter => new Envoy.Config.Listener.V3.Filter(),
        ApplyTo.VirtualHost => new Envoy.Config.Route.V3.VirtualHost(),
        ApplyTo.HttpRoute => new Envoy.Config.Route.V3.Route(),
        ApplyTo.ExtensionConfig => new Envoy.Config.Core.V3.TypedExtensionConfig(),
        ApplyTo.Bootstrap => new Envoy.Config.Bootstrap.V3.Bootstrap(),
        ApplyTo.ListenerFilter => new Envoy.Config.Listener.V3.ListenerFilter(),
        _ => null,
    };
}
