// Status: what became of the objects of the Gateway API, as the conditions that the API asks for. Drafts are filled while listeners and
// routes are converted, and rendered at the end, when it is known how many routes each listener has.
//
// A condition's time is left open: it is when the condition last changed, which only he knows who writes it down. Conditions of other
// controllers and such as we know nothing of are kept as they are.
using Kubernetes.Meta.V1;

namespace Lateen.Pilot.Meaning.GatewayApi.Status;

/// <summary>Conditions of one object, by type; good until a problem is told.</summary>
internal sealed class ConditionDrafts
{
    private readonly SortedDictionary<string, Draft> _drafts = new(StringComparer.Ordinal);

    /// <summary>A condition as it is while nothing is wrong.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="reason">Why.</param>
    /// <param name="message">For a person.</param>
    /// <param name="whenGood">Its status then; a problem turns it round.</param>
    public ConditionDrafts With(string type, string reason, string message, bool whenGood = true)
    {
        _drafts[type] = new Draft(reason, message, whenGood, whenGood);
        return this;
    }

    /// <summary>Something is wrong; of several the last is told.</summary>
    public void Fail(string type, Problem problem) =>
        _drafts[type] = _drafts[type] with { Reason = problem.Reason, Message = problem.Message, Status = !_drafts[type].WhenGood };

    /// <summary>Another reason or message, with the same status.</summary>
    public void Say(string type, string reason, string message) =>
        _drafts[type] = _drafts[type] with { Reason = reason, Message = message };

    /// <summary>Whether something is wrong with this.</summary>
    public bool HasFailed(string type) => _drafts[type].Status != _drafts[type].WhenGood;

    /// <summary>A copy that can go its own way.</summary>
    public ConditionDrafts Copy()
    {
        var copy = new ConditionDrafts();
        foreach (var (type, draft) in _drafts) copy._drafts[type] = draft;
        return copy;
    }

    /// <summary>The conditions: those that were there keep their places, new ones follow by type.</summary>
    public IEnumerable<Condition> Render(long generation, IEnumerable<Condition>? before = null)
    {
        var left = new SortedDictionary<string, Draft>(_drafts, StringComparer.Ordinal);
        foreach (var condition in before ?? [])
            yield return left.Remove(condition.Type, out var draft) ? Rendered(condition.Type, draft, generation) : condition;
        foreach (var (type, draft) in left) yield return Rendered(type, draft, generation);
    }

    private static Condition Rendered(string type, Draft draft, long generation)
    {
        var condition = new Condition
        {
            Type = type,
            Status = draft.Status ? "True" : "False",
            Reason = draft.Reason,
            Message = draft.Message,
        };
        if (generation > 0) condition.ObservedGeneration = generation;
        return condition;
    }

    private sealed record Draft(string Reason, string Message, bool Status, bool WhenGood);
}

/// <summary>The status of one object, as the message of its kind.</summary>
/// <param name="Kind">Kind, as in YAML.</param>
/// <param name="Namespace">Namespace.</param>
/// <param name="Name">Name.</param>
/// <param name="Content">The status.</param>
public sealed record GatewayApiStatus(Lateen.Config.Resources.ResourceKind Kind, string Namespace, string Name,
    Google.Protobuf.IMessage Content);
