using System.Globalization;
using System.Text.RegularExpressions;
using Lateen.Test.Rigs.Stage;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Scenarios.Steps;

/// <summary>What callers and applications must have seen.</summary>
internal static class AnswerSteps
{
    private const string App = @"[a-z][a-z0-9.-]*(?: v\d+)?";

    // An answer: its status or "broken", who gave it, and the flag that its proxy logged; each may be left out.
    private const string Kind = @"(?<status>\d{3}|broken)?(?: ?from (?<app>" + App
        + @"))?(?: ?with flag (?<flag>[\w,-]+))?(?: ?by cluster (?<cluster>\S+))?";

    public static readonly Step[] All =
    [
        new("(?:the|every) answer is " + Kind, (play, m, _) => Require(play, Count(play, m) == play.Calls.Count && play.Calls.Count > 0)),
        new("no answer is " + Kind, (play, m, _) => Require(play, Count(play, m) == 0)),
        new(@"about (?<percent>[\d.]+) ?% of the answers are " + Kind + @"(?: \(within (?<within>[\d.]+) ?%\))?", (play, m, _) =>
        {
            double within = m.Groups["within"].Success ? Number(m, "within") : 8, share = 100.0 * Count(play, m) / play.Calls.Count;
            Require(play, Math.Abs(share - Number(m, "percent")) <= within);
        }),
        new(@"(?<how>at least |at most )?(?<count>\d+) answers? (?:is|are) " + Kind, (play, m, _) =>
            Require(play, Compare(m.Groups["how"].Value, Count(play, m), (int)Number(m, "count")))),
        new("all answers are from one pod",
            (play, _, _) => Require(play,
                play.Calls.Select(call => call.Head.Find("x-pod")).Distinct().Count() == 1 && play.Calls[0].App.Length > 0)),
        new(@"the answers are from (?<count>\d+) pods",
            (play, m, _) => Require(play,
                play.Calls.Select(call => call.Head.Find("x-pod")).OfType<string>().Distinct().Count() == (int)Number(m, "count"))),
        new(@"the answers are from (?<apps>.+)", (play, m, _) =>
            Require(play, m.Groups["apps"].Value.Split([", ", " and "], StringSplitOptions.None).Order()
                .SequenceEqual(play.Calls.Select(call => call.App).Distinct().Order()))),
        new(@"(?:the|every) answer has header (?<name>[^\s:]+)(?:: (?<value>.+))?", (play, m, _) =>
            Require(play,
                play.Calls.TrueForAll(call => call.Head.Find(m.Groups["name"].Value) is { } value
                    && (!m.Groups["value"].Success || value == m.Groups["value"].Value)))),
        new(@"(?:the|every) answer has no header (?<name>\S+)",
            (play, m, _) => Require(play, play.Calls.TrueForAll(call => call.Head.Find(m.Groups["name"].Value) is null))),
        new(@"answers from (?<app>[a-z-]+ v\d+) have header (?<name>[^\s:]+): (?<value>.+)",
            (play, m, _) => Require(play, From(play, m).All(call => call.Head.Find(m.Groups["name"].Value) == m.Groups["value"].Value))),
        new(@"answers from (?<app>[a-z-]+ v\d+) have no header (?<name>\S+)",
            (play, m, _) => Require(play, From(play, m).All(call => call.Head.Find(m.Groups["name"].Value) is null))),
        new(@"(?:the|every) body contains ""(?<text>.*)""",
            (play, m, _) => Require(play,
                play.Calls.TrueForAll(call => call.Body.Contains(m.Groups["text"].Value, StringComparison.Ordinal)))),
        new(
            @"(?:it|each|every answer|the answer) took at least (?<least>[\d.]+) (?<lunit>ms|s)(?: and less than (?<most>[\d.]+) (?<munit>ms|s))?", (play, m, _) =>
                Require(play,
                    play.Calls.TrueForAll(call => call.TookMicros >= TrafficSteps.Micros(m, "least", "lunit")
                        && (!m.Groups["most"].Success || call.TookMicros < TrafficSteps.Micros(m, "most", "munit"))))),
        new(@"(?:it|each|every answer|the answer) took less than (?<most>[\d.]+) (?<munit>ms|s)",
            (play, m, _) => Require(play, play.Calls.TrueForAll(call => call.TookMicros < TrafficSteps.Micros(m, "most", "munit")))),
        new(@"(?<app>" + App + @") was called (?<how>at least |at most )?(?<count>\d+) times?", (play, m, _) =>
            Require(Seen(play, m).Length, Compare(m.Groups["how"].Value, Seen(play, m).Length, (int)Number(m, "count")), m)),
        new(@"(?<app>" + App + @") was not called", (play, m, _) => Require(Seen(play, m).Length, Seen(play, m).Length == 0, m)),
        new(@"(?<app>" + App + @") saw (?<what>path|host|method) (?<value>\S+)",
            (play, m, _) => ExpectSeen(play, m,
                m.Groups["what"].Value switch { "path" => r => r.Path, "host" => r => r.Authority, _ => r => r.Method })),
        new(@"(?<app>" + App + @") saw header (?<name>[^\s:]+): (?<value>.+)",
            (play, m, _) => ExpectSeen(play, m, r => r.Headers.Find(m.Groups["name"].Value))),
        new(@"(?<app>" + App + @") saw no header (?<name>\S+)", (play, m, _) =>
        {
            if (Seen(play, m) is not [.., var last]) throw new ScenarioException("it saw no request");
            if (last.Headers.Find(m.Groups["name"].Value) is { } value) throw new ScenarioException($"it saw \"{value}\"");
        }),
        new(@"the route is (?<name>\S+)",
            (play, m, _) => { if (!play.Calls.TrueForAll(call => call.Route == m.Groups["name"].Value))
                throw new ScenarioException($"the routes were {string.Join(", ", play.Calls.Select(call => call.Route).Distinct())}"); }),
    ];

    private static int Count(Play play, Match m) => play.Calls.Count(call =>
        (!m.Groups["status"].Success
            || (m.Groups["status"].Value == "broken"
                ? call.Broken is not null : call.Broken is null && call.Status == (int)Number(m, "status")))
        && (!m.Groups["app"].Success || call.App == m.Groups["app"].Value || call.App.Split(' ')[0] == m.Groups["app"].Value)
        && (!m.Groups["flag"].Success || call.Flags == m.Groups["flag"].Value)
        && (!m.Groups["cluster"].Success || call.Cluster == m.Groups["cluster"].Value));

    private static IEnumerable<Call> From(Play play, Match m) => play.Calls.Where(call => call.App == m.Groups["app"].Value);

    private static SeenRequest[] Seen(Play play, Match m)
    {
        string app = m.Groups["app"].Value;
        IEnumerable<Application> meant = play.Mesh.External.TryGetValue(app, out Application? external)
            ? [external] : play.Mesh.Find(app).Select(pod => pod.Application!);
        return [.. meant.SelectMany(application => application.Seen).OrderBy(seen => seen.At)];
    }

    private static void ExpectSeen(Play play, Match m, Func<SeenRequest, string?> part)
    {
        if (Seen(play, m) is not [.., var last]) throw new ScenarioException("it saw no request");
        if (part(last) != m.Groups["value"].Value) throw new ScenarioException($"it saw \"{part(last)}\"");
    }

    private static bool Compare(string how, int found, int expected) =>
        how switch { "at least " => found >= expected, "at most " => found <= expected, _ => found == expected };

    private static double Number(Match m, string group) => double.Parse(m.Groups[group].Value, CultureInfo.InvariantCulture);

    private static void Require(int found, bool holds, Match m)
    {
        if (!holds) throw new ScenarioException($"{m.Groups["app"].Value} was called {found} times");
    }

    private static void Require(Play play, bool holds)
    {
        if (holds) return;
        var kinds = play.Calls.GroupBy(call => call.ToString()).OrderByDescending(group => group.Count())
            .Select(group => $"{group.Count()} x {group.Key}");
        Call? first = play.Calls.FirstOrDefault();
        throw new ScenarioException(
            $"the answers were {string.Join(", ", kinds)}; the first took {first?.TookMicros / 1000.0} ms, by "
            + $"cluster {first?.Cluster}, with {string.Join(", ", first?.Head.Select(h => $"{h.Name}: {h.Value}") ?? [])}, body "
                + $"\"{first?.Body[..Math.Min(80, first.Body.Length)].Replace('\n', '|')}\"");
    }
}
