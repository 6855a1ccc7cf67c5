using Lateen.ControlPlane.Ads;

namespace Lateen.ControlPlane.Operator;

/// <summary>Those who wait until the proxies run a revision. Driven by the control loop after everything that may have ended a
/// wait.</summary>
public sealed class RevisionWaits(AdsStreams streams)
{
    private sealed record Wait(long Revision, long Generation, DateTimeOffset Deadline, Action<WaitAnswer> Done);

    private const int UnaskedShown = 3;
    private readonly List<Wait> _waits = [];

    /// <summary>When the first of them gives up.</summary>
    public DateTimeOffset? DueAt => _waits.Count == 0 ? null : _waits.Min(wait => wait.Deadline);

    /// <summary>Calls <paramref name="done"/> when every connected proxy has settled on a generation, or some refused it, or at the
    /// deadline.</summary>
    /// <param name="revision">The revision asked for, as it is told.</param>
    /// <param name="generation">The store's generation that has it.</param>
    /// <param name="deadline">When to give up.</param>
    /// <param name="done">Called once, on the loop.</param>
    /// <param name="now">The time.</param>
    public void Add(long revision, long generation, DateTimeOffset deadline, Action<WaitAnswer> done, DateTimeOffset now)
    {
        _waits.Add(new Wait(revision, generation, deadline, done));
        Check(now);
    }

    /// <summary>Ends the waits that have come to an end.</summary>
    public void Check(DateTimeOffset now)
    {
        for (int i = _waits.Count - 1; i >= 0; i--)
        {
            Wait wait = _waits[i];
            WaitAnswer answer = Answer(wait, now);
            // A refusal does not mend itself: waiting on would only hide it.
            bool refused = answer.Behind.Count > 0
                && streams.Open.All(stream => stream.Session.Node is null || stream.SettledGeneration >= wait.Generation);
            if (!answer.Converged && !refused && now < wait.Deadline) continue;
            _waits.RemoveAt(i);
            wait.Done(answer);
        }
    }

    private WaitAnswer Answer(Wait wait, DateTimeOffset now)
    {
        // An agent's table of names is waited for like its proxy's configuration; both together are one proxy.
        AdsStream[] known = [.. streams.Open.Where(stream => stream.Session.Node is not null)];
        BehindRow[] behind = [.. known.Where(stream => stream.SettledGeneration < wait.Generation || stream.HasRefused)
            .GroupBy(stream => stream.Session.Node!.WorkloadId, StringComparer.Ordinal).Select(proxy => Behind([.. proxy], now))];
        return new WaitAnswer(wait.Revision, behind.Length == 0 && streams.Generation >= wait.Generation,
            known.Count(stream => stream.IsProxy), behind);
    }

    private static BehindRow Behind(AdsStream[] proxy, DateTimeOffset now) => new(
        proxy[0].Session.Node!.WorkloadId, string.Join("; ", proxy.Select(stream => Reason(stream, now))),
        proxy.Min(stream => stream.AcceptedRevision), proxy.Any(stream => stream.HasRefused));

    // Everything that is missing: a refusal of one type says nothing of the others.
    private static string Reason(AdsStream stream, DateTimeOffset now)
    {
        string[] refused = [.. stream.Types.Where(pair => pair.Value.Error is not null)
            .Select(pair => $"refused {AdsStreams.ShortName(pair.Key)} {Ago(now - pair.Value.RefusedAt)}: {pair.Value.Error}")];
        KeyValuePair<string, TypeTrack>[] waiting =
            [.. stream.Types.Where(pair => pair.Value.SentNonce != pair.Value.AckedNonce && pair.Value.Error is null)];
        string[] unasked = [.. stream.Session.Unasked.Order(StringComparer.Ordinal).Take(UnaskedShown)];
        string[] reasons = [.. refused, .. waiting.Length > 0 ? [Unanswered(waiting, now)] : Array.Empty<string>(),
            .. unasked.Length > 0 ? [$"has not asked for {string.Join(", ", unasked)} yet"] : Array.Empty<string>()];
        return reasons.Length > 0 ? string.Join("; ", reasons) : "was not sent it yet";
    }

    private static string Unanswered(KeyValuePair<string, TypeTrack>[] waiting, DateTimeOffset now)
    {
        DateTimeOffset first = waiting.Min(pair => pair.Value.SentAt);
        string types = string.Join(", ", waiting.Select(pair => AdsStreams.ShortName(pair.Key)));
        return now - first < TimeSpan.FromSeconds(1)
            ? $"has not answered {types} yet" : $"has not answered {types} for {(int)(now - first).TotalSeconds}s";
    }

    private static string Ago(TimeSpan age) => age < TimeSpan.FromSeconds(1) ? "just now" : $"{(int)age.TotalSeconds}s ago";
}
