using System.Globalization;
using Istio.Workload;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>Why something is not bound as its labels ask: reason and message of a condition.</summary>
internal sealed record BindingProblem(string Reason, string Message)
{
    public static BindingProblem NotReady(string waypoint) => new("WaypointIsNotReady", $"waypoint {waypoint} is not ready");

    public static BindingProblem Denied(string waypoint) =>
        new("AttachmentDenied", $"we are not permitted to attach to waypoint {waypoint} (missing allowedRoutes?)");

    public static BindingProblem Unsupported(string waypoint, string traffic) =>
        new("UnsupportedTrafficType", $"attempting to bind to traffic type \"{traffic}\" which the waypoint {waypoint} does not support");
}

/// <summary>Which waypoint stands in front of a service or workload.</summary>
/// <param name="world">What exists.</param>
internal sealed class WaypointBindings(AmbientWorld world)
{
    private const string UseLabel = "istio.io/use-waypoint";
    private const string UseNamespaceLabel = "istio.io/use-waypoint-namespace";
    private const string CanaryLabel = "istio.io/use-waypoint-canary";
    private const string CanaryNamespaceLabel = "istio.io/use-waypoint-canary-namespace";
    private const string CanaryWeightAnnotation = "istio.io/use-waypoint-canary-weight";
    private const string IngressLabel = "istio.io/ingress-use-waypoint";
    /// <summary>Label of the pods of a Gateway.</summary>
    public const string InstanceLabel = "gateway.networking.k8s.io/gateway-name";
    private const string ManagedLabel = "gateway.istio.io/managed";
    private const string None = "none";
    private const uint WholeWeight = 100;

    private static readonly string[] ManagedGateways = ["istio.io-mesh-controller", "istio.io-eastwest-controller"];

    /// <summary>The waypoint of a service. Waypoints and east-west gateways have none themselves.</summary>
    public (Waypoint? Waypoint, BindingProblem? Problem) OfService(ObjectMarks marks)
    {
        if (ManagedGateways.Contains(marks.Labels.GetValueOrDefault(ManagedLabel))) return default;
        var (waypoint, problem) = Target(marks);
        return waypoint is null || waypoint.Takes(Waypoint.ServiceTraffic)
            ? (waypoint, problem) : (null, BindingProblem.Unsupported(waypoint.FullName, Waypoint.ServiceTraffic));
    }

    /// <summary>The waypoint of a workload. That a waypoint of the namespace is for services only is no mistake of the workload.</summary>
    public (Waypoint? Waypoint, BindingProblem? Problem) OfWorkload(ObjectMarks marks)
    {
        var (waypoint, problem) = Target(marks);
        if (waypoint is null || waypoint.Takes(Waypoint.WorkloadTraffic)) return (waypoint, problem);
        return (null, marks.Labels.ContainsKey(UseLabel) ? BindingProblem.Unsupported(waypoint.FullName, Waypoint.WorkloadTraffic) : null);
    }

    /// <summary>The waypoint that a workload is a part of.</summary>
    public Waypoint? InstanceOf(ObjectMarks marks) =>
        marks.Labels.GetValueOrDefault(InstanceLabel) is { Length: > 0 } name
            ? world.Waypoints.GetValueOrDefault($"{marks.Namespace}/{name}") : null;

    private (Waypoint? Waypoint, BindingProblem? Problem) Target(ObjectMarks marks)
    {
        var (own, optsOut) = Reference(marks.Labels, marks.Namespace);
        if (optsOut) return default;
        var name = own ?? Reference(world.LabelsOf(marks.Namespace), marks.Namespace).Name;
        return name is null ? default : Attach(name, marks.Namespace);
    }

    private (Waypoint? Waypoint, BindingProblem? Problem) Attach(string name, string ns)
    {
        if (!world.Waypoints.TryGetValue(name, out var waypoint)) return (null, BindingProblem.NotReady(name));
        return waypoint.Allowed.Include(waypoint.Namespace, ns, world.LabelsOf(ns))
            ? (waypoint, null) : (null, BindingProblem.Denied(name));
    }

    /// <summary>The waypoint that labels name as <c>namespace/name</c>, or that they want none.</summary>
    public static (string? Name, bool OptsOut) Reference(IReadOnlyDictionary<string, string> labels, string ownNamespace)
    {
        if (!labels.TryGetValue(UseLabel, out var name)) return default;
        return name == None ? (null, true) : ($"{labels.GetValueOrDefault(UseNamespaceLabel, ownNamespace)}/{name}", false);
    }

    /// <summary>Whether gateways send what they get for a service through its waypoint: by its label, else by that of its
    /// namespace.</summary>
    public static (bool IsSaid, bool Uses) FromIngress(IReadOnlyDictionary<string, string> labels,
        IReadOnlyDictionary<string, string> ofNamespace)
    {
        if ((labels.GetValueOrDefault(IngressLabel) ?? ofNamespace.GetValueOrDefault(IngressLabel)) is not { } text) return (false, false);
        return (true, text is "1" or "t" or "T" or "true" or "TRUE" or "True");
    }

    // ---- a second waypoint that gets a share

    /// <summary>The second waypoint that labels name, as <c>namespace/name</c>; the namespace's labels count where the object has none of
    /// its own.</summary>
    public static string? CanaryReference(IReadOnlyDictionary<string, string> labels, IReadOnlyDictionary<string, string>? ofNamespace,
        string ownNamespace)
    {
        var said = !labels.ContainsKey(CanaryLabel) && ofNamespace?.ContainsKey(CanaryLabel) == true ? ofNamespace : labels;
        return said.GetValueOrDefault(CanaryLabel) is not { Length: > 0 } name || name == None
            ? null : $"{said.GetValueOrDefault(CanaryNamespaceLabel, ownNamespace)}/{name}";
    }

    /// <summary>Its share of the connections, per cent; null when what is written is none.</summary>
    public static uint? CanaryWeight(IReadOnlyDictionary<string, string> annotations, IReadOnlyDictionary<string, string>? ofNamespace)
    {
        if ((annotations.GetValueOrDefault(CanaryWeightAnnotation)
            ?? ofNamespace?.GetValueOrDefault(CanaryWeightAnnotation)) is not { } text) return 0;
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var weight)
            && weight is >= 0 and <= (int)WholeWeight ? (uint)weight : null;
    }

    /// <summary>Both waypoints with their shares; empty without a second one, and where it can't be used, which is then said.</summary>
    public (IReadOnlyList<WeightedWaypoint> Shares, BindingProblem? Problem) Shares(ObjectMarks marks, Waypoint? primary)
    {
        if (primary is null) return ([], null);
        // The second one comes from where the first one does.
        var inherits = Reference(marks.Labels, marks.Namespace).Name is null;
        var known = world.Namespaces.GetValueOrDefault(marks.Namespace);
        if (CanaryReference(marks.Labels, inherits ? known?.Labels : null, marks.Namespace) is not { } name) return ([], null);
        if (name == primary.FullName)
            return ([], new BindingProblem("WaypointCanarySameAsPrimary", $"canary waypoint {name} is the primary one"));
        if (CanaryWeight(marks.Annotations, inherits ? known?.Annotations : null) is not { } weight)
            return ([],
                new BindingProblem("WaypointCanaryInvalidWeight", $"weight of canary waypoint {name} is not a number from 0 to 100"));
        var (canary, problem) = Attach(name, marks.Namespace);
        if (canary is null) return ([], problem);
        if (!canary.Takes(Waypoint.ServiceTraffic)) return ([], BindingProblem.Unsupported(name, Waypoint.ServiceTraffic));
        return ([new WeightedWaypoint { Destination = primary.Address, Weight = WholeWeight - weight },
            new WeightedWaypoint { Destination = canary.Address, Weight = weight }], null);
    }
}
