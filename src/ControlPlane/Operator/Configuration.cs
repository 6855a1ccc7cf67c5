using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.ControlPlane.Findings;
using Lateen.ControlPlane.Metrics;
using Lateen.Pilot.Meaning.GatewayApi.Status;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Operator;

/// <summary>The written configuration as the operator changes and asks for it. Driven by the control loop alone.</summary>
public sealed class Configuration(ResourceStore store, PilotMetrics metrics, ResourceFindings findings,
    Func<IReadOnlyList<GatewayApiStatus>> statuses, bool isFromCluster = false)
{
    // What an operator wrote here would be gone with the next word of the cluster, or, worse, stay beside it.
    private static readonly No ClusterWrites =
        new(StatusCodes.Status409Conflict, "configuration comes from a Kubernetes cluster, which alone may change it",
            "Write it with kubectl, or ask with --dry-run what would happen.");

    private readonly Dictionary<ResourceKey, (long Revision, DateTimeOffset At)> _lastChange = LastChanges(store.Journal);

    private Dictionary<ResourceKey, Google.Protobuf.IMessage> _conditions = [];

    /// <summary>The newest revision; 0 before the first.</summary>
    public long Revision => store.Journal?.LastNumber ?? store.Current.Generation;

    /// <summary>What is written, with what is held out.</summary>
    public ResourceView View => store.Current;

    /// <summary>What became of the objects of the Gateway API in the last snapshot.</summary>
    public IReadOnlyList<GatewayApiStatus> GatewayApiStatuses() => statuses();

    /// <summary>What is to be said about each resource that is in force, apart from what is wrong in its text.</summary>
    public Func<Resource, IEnumerable<Diagnostic>> FindingsNow() => findings.AtOnce(store.Current);

    /// <summary>Everything that is written.</summary>
    public IEnumerable<Resource> Resources => store.Current.Everything();

    /// <summary>Looks through what is written once, before the first change is.</summary>
    public void Prepare() => findings.Prepare(store.Current);

    /// <summary>A resource as it is in force; null where there is none.</summary>
    public Resource? Find(ResourceKey key) => store.Current.Find(key);

    /// <summary>Creates and changes, all or nothing.</summary>
    public Answer<ChangeAnswer> Apply(ApplyRequest asked, DateTimeOffset now)
    {
        if (isFromCluster && !asked.DryRun) return ClusterWrites;
        ResourceView before = store.Current;
        ApplyResult result = Applied(asked, out IReadOnlyList<Resource> resources, out DiagnosticBag found);
        if (result.Accepted && !asked.DryRun) Remember(result, now);
        foreach (Resource resource in resources) metrics.Webhooks.Validated(resource.Kind, result.Accepted);
        ObjectOutcome[] outcomes = result.Accepted
            ? [.. resources.Select(resource => ObjectRows.Outcome(resource.Key, Outcome(resource.Key, before, result)))] : [];
        IEnumerable<Diagnostic> said = asked.Observed ? [] : result.Accepted
            ? findings.OfChange(resources, before, result.View) : resources.SelectMany(resource => findings.AtOnce(resource, before));
        return new ChangeAnswer(result.Accepted, Revision, outcomes,
            [.. found.Concat(result.Diagnostics).Concat(said).Select(ObjectRows.Finding)]);
    }

    /// <summary>Removes, all or nothing.</summary>
    public Answer<ChangeAnswer> Delete(DeleteRequest asked, DateTimeOffset now)
    {
        if (isFromCluster && !asked.DryRun) return ClusterWrites;
        ResourceView before = store.Current;
        var keys = new List<ResourceKey>();
        var found = new DiagnosticBag();
        foreach (Target target in asked.Targets)
        {
            if (ObjectRows.KindOf(target.Kind, out No refusal) is not { } kind) return refusal;
            keys.Add(new ResourceKey(kind, kind.IsNamespaced ? asked.Namespace ?? "default" : "", target.Name));
        }
        foreach (SourceText source in asked.Sources)
            keys.AddRange(Decoded(source, asked.Namespace, found).Select(resource => resource.Key));
        ResourceKey[] absent = asked.IgnoreNotFound ? [.. keys.Where(key => store.Current.Find(key) is null)] : [];
        var change = new ChangeSet { Delete = [.. keys.Except(absent)], Author = asked.Author ?? "", Reason = "delete" };
        ApplyResult result = found.HasErrors ? new ApplyResult(false, store.Current, 0, [], []) : asked.DryRun
            ? store.Preview(change) : store.Apply(change);
        if (result.Accepted && !asked.DryRun) Remember(result, now);
        ObjectOutcome[] outcomes = result.Accepted
            ? [.. keys.Select(key => ObjectRows.Outcome(key, absent.Contains(key) ? "not found" : "deleted"))] : [];
        IEnumerable<Diagnostic> said = result.Accepted ? findings.OfChange([], before, result.View) : [];
        return new ChangeAnswer(result.Accepted, Revision, outcomes,
            [.. found.Concat(result.Diagnostics).Concat(said).Select(ObjectRows.Finding)]);
    }

    /// <summary>Makes an earlier revision hold again; a negative number counts back from the newest.</summary>
    public Answer<ChangeAnswer> Rollback(RollbackRequest asked, DateTimeOffset now)
    {
        if (store.Journal is not { } journal) return No.Misuse("this control plane keeps no history");
        long number = Absolute(asked.Revision, journal);
        if (!journal.Has(number)) return No.NotFound($"there is no revision {number}", "`lateen history` lists them.");
        if (asked.DryRun) return new ChangeAnswer(true, Revision, Outcomes(journal.Diff(journal.LastNumber, number, [])), []);
        ResourceView before = store.Current;
        ApplyResult result = store.Rollback(number, asked.Author ?? "");
        if (result.Accepted) Remember(result, now);
        ObjectOutcome[] outcomes =
            [.. result.Changed.Select(
                key => ObjectRows.Outcome(key,
                    result.View.Find(key) is null ? "deleted" : before.Find(key) is null ? "created" : "configured"))];
        return new ChangeAnswer(result.Accepted, Revision, outcomes,
            [.. result.Diagnostics.Concat(findings.OfChange([], before, result.View)).Select(ObjectRows.Finding)]);
    }

    /// <summary>Resources of a kind (or "all"), of a namespace (or, null, of all), of a name (or, null, of any), with the labels of a
    /// selector.</summary>
    public Answer<ObjectList> Objects(string word, string? inNamespace, string? name, string? selector)
    {
        ResourceKind? kind = null;
        if (word != "all" && (kind = ObjectRows.KindOf(word, out No refusal)) is null) return refusal;
        IEnumerable<Resource> found = (kind is null
            ? store.Current.Everything().Where(resource => resource.Kind.IsConfiguration) : store.Current.Untyped(kind))
            .Where(resource => (inNamespace is null || !resource.Kind.IsNamespaced || resource.Namespace == inNamespace)
                && (name is null || resource.Name == name))
            .Where(resource => selector is null || ObjectRows.Matches(resource, selector))
            .OrderBy(resource => resource.Kind.Name, StringComparer.Ordinal).ThenBy(resource => resource.Namespace, StringComparer.Ordinal)
            .ThenBy(resource => resource.Name, StringComparer.Ordinal);
        // Conditions of the Gateway API are those of the last snapshot; they are made anew for who asks, since endpoints count in them.
        _conditions = statuses().ToDictionary(status => new ResourceKey(status.Kind, status.Namespace, status.Name),
            status => status.Content);
        StoredObject[] rows = [.. found.Select(Row), .. HeldOnly(kind, inNamespace, name)];
        if (rows.Length == 0 && name is not null) return NotThere(kind!, inNamespace, name);
        return new ObjectList(Revision, rows);
    }

    /// <summary>Revisions, newest first, of one resource or of all.</summary>
    public Answer<RevisionList> History(string? word, string? inNamespace, string? name, long most)
    {
        if (store.Journal is not { } journal) return new RevisionList([]);
        ResourceKey? only = null;
        if (word is not null && name is not null)
        {
            if (ObjectRows.KindOf(word, out No refusal) is not { } kind) return refusal;
            only = new ResourceKey(kind, kind.IsNamespaced ? inNamespace ?? "default" : "", name);
        }
        IEnumerable<Revision> revisions = journal.History([])
            .Where(revision => only is null || revision.Entries.Any(entry => entry.Key == only));
        return new RevisionList([.. revisions.Take((int)Math.Clamp(most, 1, 10_000))
            .Select(revision => new RevisionRow(revision.Number, revision.Time, revision.Author, revision.Reason,
                Outcomes(revision.Entries)))]);
    }

    /// <summary>What differs between two revisions.</summary>
    public Answer<DiffAnswer> Diff(long from, long? to)
    {
        if (store.Journal is not { } journal) return No.Misuse("this control plane keeps no history");
        (long first, long second) = (Absolute(from, journal), to is { } said ? Absolute(said, journal) : journal.LastNumber);
        if (first != 0 && !journal.Has(first)) return No.NotFound($"there is no revision {first}", "`lateen history` lists them.");
        if (second != 0 && !journal.Has(second)) return No.NotFound($"there is no revision {second}", "`lateen history` lists them.");
        return new DiffAnswer(first, second,
            [.. journal.Diff(first, second, [])
                .Select(entry => new ObjectDiff(ObjectRows.Name(entry.Key), entry.Key.Namespace, entry.Before, entry.After))]);
    }

    /// <summary>What an apply would change.</summary>
    public Answer<DiffAnswer> DiffOf(ApplyRequest asked, DateTimeOffset now)
    {
        ResourceView before = store.Current;
        ApplyResult result = Applied(asked with { DryRun = true }, out _, out DiagnosticBag found);
        if (!result.Accepted) return new No(StatusCodes.Status422UnprocessableEntity,
            string.Join("\n", found.Concat(result.Diagnostics).Where(diagnostic => diagnostic.IsError)), "Correct these first.");
        return new DiffAnswer(Revision, -1,
            [.. result.Changed.Select(
                key => new ObjectDiff(ObjectRows.Name(key), key.Namespace, before.Find(key)?.ToText(), result.View.Find(key)?.ToText()))]);
    }

    private ApplyResult Applied(ApplyRequest asked, out IReadOnlyList<Resource> resources, out DiagnosticBag found)
    {
        var mistakes = found = [];
        resources = [.. asked.Sources.SelectMany(source => Decoded(source, asked.Namespace, mistakes))];
        var change = new ChangeSet { Put = resources, Author = asked.Author ?? "", Reason = "apply", IsObserved = asked.Observed };
        if (!found.HasErrors) return asked.DryRun ? store.Preview(change) : store.Apply(change);
        // The resources that could be read are checked all the same: every mistake in one run.
        ApplyResult checkedOnly = store.Preview(change);
        return checkedOnly with { Accepted = false, View = store.Current, Changed = [] };
    }

    private static IReadOnlyList<Resource> Decoded(SourceText source, string? inNamespace, DiagnosticBag found)
    {
        IReadOnlyList<Resource> resources =
            new ResourceDecoder(new DecoderOptions { DefaultNamespace = inNamespace ?? "default" }).Decode(source.Text, source.Name, found);
        foreach (Resource other in resources.Where(
            resource => inNamespace is not null && resource.Kind.IsNamespaced && resource.Namespace != inNamespace))
            found.Add(OperatorCodes.OtherNamespace, other.PositionOf("metadata.namespace"), "metadata.namespace",
                $"is \"{other.Namespace}\", but the command says \"{inNamespace}\"", resource: other.Key.ToString());
        return resources;
    }

    // Held: the form that is not in force is what `get` must not hide.
    private IEnumerable<StoredObject> HeldOnly(ResourceKind? kind, string? inNamespace, string? name) => store.Current.Held
        .Where(held => store.Current.Find(held.Key) is null && (kind is null || held.Key.Kind == kind)
            && (inNamespace is null || held.Key.Namespace == inNamespace) && (name is null || held.Key.Name == name))
        .Select(held => Row(held.Value.Resource));

    private StoredObject Row(Resource resource)
    {
        (long revision, DateTimeOffset at) =
            _lastChange.GetValueOrDefault(resource.Key, (0, resource.Metadata.CreationTime ?? DateTimeOffset.UnixEpoch));
        IEnumerable<Diagnostic> found = store.Current.Held.TryGetValue(resource.Key, out HeldResource? bad)
            ? bad.Diagnostics : Validator.Check(resource);
        return ObjectRows.Of(resource, revision, at, [.. found, .. findings.About(resource, store.Current)],
            _conditions.GetValueOrDefault(resource.Key));
    }

    private static string Outcome(ResourceKey key, ResourceView before, ApplyResult result) =>
        !result.Changed.Contains(key) ? "unchanged" : before.Find(key) is null ? "created" : "configured";

    private static ObjectOutcome[] Outcomes(IEnumerable<RevisionEntry> entries) =>
        [.. entries.Select(entry => ObjectRows.Outcome(entry.Key, entry.Action == "changed" ? "configured" : entry.Action))];

    private No NotThere(ResourceKind kind, string? inNamespace, string name)
    {
        Resource[] same = [.. store.Current.Untyped(kind)];
        Resource? elsewhere = same.FirstOrDefault(resource => resource.Name == name);
        string? nearest = Suggestions.Nearest(name,
            same.Where(resource => inNamespace is null || resource.Namespace == inNamespace).Select(resource => resource.Name));
        string where = inNamespace is null || !kind.IsNamespaced ? "" : $" in namespace {inNamespace}";
        return No.NotFound($"there is no {kind.Name} \"{name}\"{where}",
            elsewhere is not null ? $"There is one in namespace {elsewhere.Namespace}: add -n {elsewhere.Namespace}." : nearest is not null
                ? $"Did you mean \"{nearest}\"?" : null);
    }

    private void Remember(ApplyResult result, DateTimeOffset now)
    {
        foreach (ResourceKey key in result.Changed) _lastChange[key] = (result.Revision, now);
    }

    private static long Absolute(long said, Journal journal) => said < 0 ? journal.LastNumber + said : said;

    private static Dictionary<ResourceKey, (long Revision, DateTimeOffset At)> LastChanges(Journal? journal)
    {
        var last = new Dictionary<ResourceKey, (long, DateTimeOffset)>();
        foreach (Revision revision in journal?.History([]) ?? [])
        {
            foreach (RevisionEntry entry in revision.Entries) last.TryAdd(entry.Key, (revision.Number, revision.Time));
        }
        return last;
    }
}
