using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lateen.ControlPlane.Cluster;

/// <summary>Who leads, since when, and until when at most.</summary>
/// <param name="Holder">The replica; empty for nobody.</param>
/// <param name="Acquired">When it began to lead, as written.</param>
/// <param name="Renewed">When it last said so, as written; compared, never read as a time.</param>
/// <param name="Seconds">How long that holds.</param>
/// <param name="Transitions">How often the lead changed hands.</param>
/// <param name="Revision">The replica's revision, where records of this form say it.</param>
public sealed record ElectionRecord(string Holder, string Acquired, string Renewed, int Seconds, int Transitions, string Revision = "");

/// <summary>The object that an election is about, and how its record stands in it. The names and both forms are those of Istio, so that an
/// istiod beside us takes part.</summary>
public abstract class ElectionLock(string ns, string name)
{
    /// <summary>Of the object.</summary>
    public string Name => name;

    /// <summary>Where objects of its kind lie.</summary>
    public abstract string Collection { get; }

    /// <summary>Its own path.</summary>
    public string Path => $"{Collection}/{name}";

    /// <summary>The namespace.</summary>
    protected string Namespace => ns;

    /// <summary>A moment as records of this form write it.</summary>
    public abstract string Time(DateTimeOffset now);

    /// <summary>The record of an object; of nobody where it has none.</summary>
    public abstract ElectionRecord Read(JsonObject written);

    /// <summary>Members of the object that carry a record.</summary>
    public abstract JsonObject Members(ElectionRecord record);

    /// <summary>The object that carries a record, made anew.</summary>
    public abstract JsonObject Made(ElectionRecord record);

    /// <summary>Says in an object that was read whose it is now.</summary>
    public abstract void Put(JsonObject into, ElectionRecord record);
}

/// <summary>A Lease of coordination.k8s.io, as Kubernetes' own components use them.</summary>
public sealed class LeaseLock(string ns, string name) : ElectionLock(ns, name)
{
    /// <inheritdoc />
    public override string Collection => $"/apis/coordination.k8s.io/v1/namespaces/{Namespace}/leases";

    /// <inheritdoc />
    public override string Time(DateTimeOffset now) =>
        now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    /// <inheritdoc />
    public override ElectionRecord Read(JsonObject written)
    {
        JsonObject spec = written["spec"] as JsonObject ?? [];
        return new((string?)spec["holderIdentity"] ?? "", (string?)spec["acquireTime"] ?? "", (string?)spec["renewTime"] ?? "",
            (int?)spec["leaseDurationSeconds"] ?? 0, (int?)spec["leaseTransitions"] ?? 0);
    }

    /// <inheritdoc />
    public override JsonObject Members(ElectionRecord record) => new() { ["spec"] = Spec(record) };

    /// <inheritdoc />
    public override JsonObject Made(ElectionRecord record) =>
        new()
        {
            ["apiVersion"] = "coordination.k8s.io/v1",
            ["kind"] = "Lease",
            ["metadata"] = new JsonObject { ["name"] = Name },
            ["spec"] = Spec(record),
        };

    /// <inheritdoc />
    public override void Put(JsonObject into, ElectionRecord record) => into["spec"] = Spec(record);

    private static JsonObject Spec(ElectionRecord record)
    {
        var spec = new JsonObject
        {
            ["holderIdentity"] = record.Holder,
            ["leaseDurationSeconds"] = record.Seconds,
            ["leaseTransitions"] = record.Transitions,
        };
        if (record.Acquired.Length > 0) (spec["acquireTime"], spec["renewTime"]) = (record.Acquired, record.Renewed);
        return spec;
    }
}

/// <summary>A ConfigMap whose annotation has the record: Istio's older form, which its controllers of namespaces, addresses and Ingresses
/// still use. All revisions share these.</summary>
/// <param name="ns">Where it lies.</param>
/// <param name="name">The ConfigMap.</param>
/// <param name="revision">The revision of this replica, which the record names.</param>
public sealed class ConfigMapLock(string ns, string name, string revision) : ElectionLock(ns, name)
{
    private const string Annotation = "control-plane.alpha.kubernetes.io/leader";

    /// <inheritdoc />
    public override string Collection => $"/api/v1/namespaces/{Namespace}/configmaps";

    /// <inheritdoc />
    public override string Time(DateTimeOffset now) => now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <inheritdoc />
    public override ElectionRecord Read(JsonObject written)
    {
        JsonObject record = [];
        try
        {
            record = JsonNode.Parse((string?)written["metadata"]?["annotations"]?[Annotation] ?? "{}") as JsonObject ?? [];
        }
        catch (JsonException)
        {
            // What nobody can read holds nobody back.
        }
        return new((string?)record["holderIdentity"] ?? "", (string?)record["acquireTime"] ?? "", (string?)record["renewTime"] ?? "",
            (int?)record["leaseDurationSeconds"] ?? 0, (int?)record["leaderTransitions"] ?? 0, (string?)record["holderKey"] ?? "");
    }

    /// <inheritdoc />
    public override JsonObject Members(ElectionRecord record) =>
        new() { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [Annotation] = Text(record) } } };

    /// <inheritdoc />
    public override JsonObject Made(ElectionRecord record)
    {
        JsonObject made = Members(record);
        made["metadata"]!["name"] = Name;
        (made["apiVersion"], made["kind"]) = ("v1", "ConfigMap");
        return made;
    }

    /// <inheritdoc />
    public override void Put(JsonObject into, ElectionRecord record)
    {
        JsonObject metadata = into["metadata"]!.AsObject();
        if (metadata["annotations"] is not JsonObject annotations) metadata["annotations"] = annotations = [];
        annotations[Annotation] = Text(record);
    }

    // Members in Go's order: people compare such texts.
    private string Text(ElectionRecord record)
    {
        var members = new JsonObject
        {
            ["holderIdentity"] = record.Holder,
            ["holderKey"] = revision,
            ["leaseDurationSeconds"] = record.Seconds,
        };
        if (record.Acquired.Length > 0) (members["acquireTime"], members["renewTime"]) = (record.Acquired, record.Renewed);
        members["leaderTransitions"] = record.Transitions;
        return members.ToJsonString();
    }
}
