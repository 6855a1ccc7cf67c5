using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Lateen.Test.Rigs;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Real.Stands;

/// <summary>What a caller got.</summary>
internal sealed record RealAnswer(int Status, string App, IReadOnlyDictionary<string, string> Headers, string Body, double Millis);

/// <summary>
/// One run of a scenario file against a mesh of real processes on loopback: the same words, real sockets, real time. Steps that only the
/// simulated stage can take (virtual time, stopped proxies, access-log fields, a second stage) are not known here; a scenario that has one
/// is not played.
/// </summary>
internal sealed class RealPlay(RunningMesh mesh, IReadOnlyDictionary<string, IPAddress> pods)
{
    private const string App = @"[a-z][a-z0-9-]*(?: v\d+)?";
    private const string Kind = @"(?<status>\d{3})(?: from (?<app>" + App + "))?";

    private static readonly (Regex Pattern, Func<RealPlay, Match, string, Task> Act)[] Steps =
    [
        (Whole("bookinfo"), (_, _, _) => Task.CompletedTask),
        (Whole(@"apply(?: (?<file>samples/\S+))?"), (play, m, block) => play.ApplyAsync(m.Groups["file"].Value, block)),
        (Whole(@"delete (?<kind>\w+) (?<name>\S+)"), (play, m, _) => play.DeleteAsync(m)),
        (Whole(@"(?<app>" + App + @") answers (?<status>\d{3})(?: (?<times>\d+) times)?"),
            (play, m, _) => play.BehaveAsync(m, "answer", int.Parse(m.Groups["status"].Value))),
        (Whole(@"(?<app>" + App + @") resets(?: (?<times>\d+) times)?"), (play, m, _) => play.BehaveAsync(m, "reset", 200)),
        (Whole(@"(?<app>" + App + @") is slow (?<amount>[\d.]+) (?<unit>ms|s)"),
            (play, m, _) => play.TellAsync(m.Groups["app"].Value, new JsonObject { ["delay"] = Millis(m, "amount", "unit") / 1000 })),
        (Whole(@"(?<app>" + App + ") is well again"),
            (play, m, _) => play.TellAsync(m.Groups["app"].Value, new JsonObject { ["delay"] = 0, ["times"] = 0 })),
        (Whole(@"(?<from>" + App
            + @") calls (?<method>[A-Z]+) http://(?<host>[^:/ ]+)(?::(?<port>\d+))?(?<path>/\S*)(?: with (?<headers>.+?))?(?: (?<times>\d+) times)?(?<atonce> at once)?"), (play, m, _) => play.CallAsync(m)),
        (Whole(
            @"(?:the )?(?:ingress)?gateway is called with host (?<host>\S+) (?<method>[A-Z]+) (?<path>/\S*)(?: with (?<headers>.+?))?(?: (?<times>\d+) times)?(?<atonce> at once)?"), (play, m, _) => play.CallAsync(m)),
        (Whole("(?:the|every) answer is " + Kind), (play, m, _) => play.RequireAsync(play.Count(m) == play._answers.Count)),
        (Whole("no answer is " + Kind), (play, m, _) => play.RequireAsync(play.Count(m) == 0)),
        (Whole(@"(?<how>at least |at most )?(?<count>\d+) answers? (?:is|are) " + Kind),
            (play, m, _) => play.RequireAsync(Compare(m, play.Count(m)))),
        (Whole(@"about (?<percent>[\d.]+) ?% of the answers are " + Kind + @"(?: \(within (?<within>[\d.]+) ?%\))?"), (play, m, _) =>
            play.RequireAsync(Math.Abs((100.0 * play.Count(m) / play._answers.Count)
                - Number(m, "percent")) <= (m.Groups["within"].Success ? Number(m, "within") : 8) + 4)),
        (Whole(@"the answers are from (?<count>\d+) pods"),
            (play, m, _) => play.RequireAsync(play._answers.Select(a => a.App).Distinct().Count() == (int)Number(m, "count"))),
        (Whole("all answers are from one pod"),
            (play, _, _) => play.RequireAsync(play._answers.Select(a => a.App).Distinct().Count() == 1)),
        (Whole(@"the answers are from (?<apps>.+)"),
            (play, m, _) => play.RequireAsync(m.Groups["apps"].Value.Split([", ", " and "], StringSplitOptions.None).Order()
                .SequenceEqual(play._answers.Select(a => a.App).Distinct().Order()))),
        (Whole(@"(?:the|every) answer has header (?<name>[^\s:]+)(?:: (?<value>.+))?"), (play, m, _) =>
            play.RequireAsync(play._answers.TrueForAll(a => a.Headers.TryGetValue(m.Groups["name"].Value, out string? value)
                && (!m.Groups["value"].Success || value == m.Groups["value"].Value)))),
        (Whole(@"(?:the|every) answer has no header (?<name>\S+)"),
            (play, m, _) => play.RequireAsync(play._answers.TrueForAll(a => !a.Headers.ContainsKey(m.Groups["name"].Value)))),
        (Whole(@"(?:it|each|every answer|the answer) took at least (?<least>[\d.]+) (?<lunit>ms|s)(?: and less than [\d.]+ (?:ms|s))?"),
            (play, m, _) => play.RequireAsync(play._answers.TrueForAll(a => a.Millis >= Millis(m, "least", "lunit") - 5))),
        (Whole(@"(?<app>" + App + @") was called (?<how>at least |at most )?(?<count>\d+) times?"),
            async (play, m, _) => await play.RequireAsync(Compare(m, (await play.SeenAsync(m)).Count))),
        (Whole(@"(?<app>" + App + ") was not called"), async (play, m, _) => await play.RequireAsync((await play.SeenAsync(m)).Count == 0)),
        (Whole(@"(?<app>" + App + @") saw (?<what>path|host|method) (?<value>\S+)"),
            async (play, m, _) => await play.RequireAsync(
                (await play.SeenAsync(m)).LastOrDefault()?[m.Groups["what"].Value]?.ToString() == m.Groups["value"].Value)),
        (Whole(@"(?<app>" + App + @") saw header (?<name>[^\s:]+): (?<value>.+)"),
            async (play, m, _) => await play.RequireAsync(
                (await play.SeenAsync(m)).LastOrDefault()?["headers"]?[m.Groups["name"].Value]?.ToString() == m.Groups["value"].Value)),
        (Whole(@"(?<app>" + App + @") saw no header (?<name>\S+)"),
            async (play, m, _) => await play.RequireAsync((await play.SeenAsync(m)).LastOrDefault() is { } last
                && last["headers"]?[m.Groups["name"].Value] is null)),
    ];

    private readonly List<RealAnswer> _answers = [];

    /// <summary>True where every step of a scenario can be taken for real.</summary>
    public static bool IsPlayable(ScenarioFile file) => file.Steps[0].Words == "bookinfo"
        && file.Steps.All(step => Steps.Any(known => known.Pattern.IsMatch(step.Words)) && !NotForReal.IsMatch(step.Words));

    // Fields of the access log, addresses of the simulated stage, and waits that nobody wants to wait for.
    private static readonly Regex NotForReal = new(@" with flag |http://\d+\.| is slow (?:\d{2,}|[6-9]) s$", RegexOptions.CultureInvariant);

    /// <summary>Plays it.</summary>
    /// <exception cref="ScenarioException">A step does not hold.</exception>
    public async Task RunAsync(ScenarioFile file)
    {
        foreach (WrittenStep step in file.Steps)
        {
            (Regex pattern, Func<RealPlay, Match, string, Task> act) = Steps.First(known => known.Pattern.IsMatch(step.Words));
            try
            {
                await act(this, pattern.Match(step.Words), step.Block);
            }
            catch (ScenarioException failed)
            {
                throw new ScenarioException($"{file.Path}:{step.Line}: {step.Words}\n  {failed.Message}");
            }
        }
    }

    /// <summary>Every application forgets what was.</summary>
    public async Task ForgetAsync()
    {
        foreach (string pod in pods.Keys) await SendAsync(pod, "/__reset", new JsonObject());
    }

    private async Task ApplyAsync(string file, string block)
    {
        CommandEnd end = file.Length > 0 ? await mesh.VerbAsync("apply", "-f", Path.Combine(Repository.Root, file), "--wait")
            : await Lateen.RunAsync(Lateen.Start(mesh.Folder, "apply", "-f", "-", "--wait"), block);
        if (end.Code != 0) throw new ScenarioException(end.ToString());
        await PublishedAsync();
    }

    // A proxy acknowledges what it has taken up before its workers have their letters.
    private static Task PublishedAsync() => Lateen.UntilAsync(() => false, withinSeconds: 0.05);

    private async Task DeleteAsync(Match m)
    {
        CommandEnd end = await mesh.VerbAsync("delete", m.Groups["kind"].Value, m.Groups["name"].Value, "--wait");
        if (end.Code != 0) throw new ScenarioException(end.ToString());
        await PublishedAsync();
    }

    private Task BehaveAsync(Match m, string kind, int status) =>
        TellAsync(m.Groups["app"].Value,
            new JsonObject
            {
                ["kind"] = kind,
                ["status"] = status,
                ["times"] = m.Groups["times"].Success ? int.Parse(m.Groups["times"].Value) : -1,
            });

    private async Task TellAsync(string app, JsonObject manner)
    {
        foreach (string pod in Pods(app)) await SendAsync(pod, "/__manner", (JsonObject)manner.DeepClone());
    }

    private string[] Pods(string app) => [.. pods.Keys.Where(pod => pod == app || pod.Split(' ')[0] == app)];

    // An application itself, past its sidecar: it listens on the address beside the workload's (see LoopbackCapture).
    private async Task<string> SendAsync(string pod, string path, JsonObject? body)
    {
        byte[] address = pods[pod].GetAddressBytes();
        address[1] += 50;
        var page = new Uri($"http://{new IPAddress(address)}:9080{path}");
        using HttpResponseMessage answer = body is null
            ? await mesh.Client.GetAsync(page) : await mesh.Client.PostAsync(page, new StringContent(body.ToJsonString()));
        return await answer.Content.ReadAsStringAsync();
    }

    private async Task<List<JsonNode>> SeenAsync(Match m)
    {
        var seen = new List<JsonNode>();
        foreach (string pod in Pods(m.Groups["app"].Value))
            seen.AddRange((JsonNode.Parse(await SendAsync(pod, "/__seen", null)) as JsonArray ?? []).Select(one => one!));
        return seen;
    }

    private async Task CallAsync(Match m)
    {
        int times = m.Groups["times"].Success ? int.Parse(m.Groups["times"].Value) : 1;
        // A workload's calls go to its sidecar, which is its HTTP proxy; a caller outside has none.
        bool inside = m.Groups["from"].Success;
        IPAddress? caller = inside ? pods[Pods(m.Groups["from"].Value)[0]] : null;
        using var client = new HttpClient(
            new SocketsHttpHandler
            {
                UseProxy = inside,
                Proxy = inside ? new WebProxy($"http://{caller}:15080") : null,
                AllowAutoRedirect = false,
            }) { Timeout = TimeSpan.FromSeconds(30) };
        _answers.Clear();
        if (m.Groups["atonce"].Success)
            _answers.AddRange(await Task.WhenAll(Enumerable.Range(0, times).Select(i => OneAsync(client, m, inside, i))));
        else
        {
            for (int i = 0; i < times; i++) _answers.Add(await OneAsync(client, m, inside, i));
        }
    }

    private async Task<RealAnswer> OneAsync(HttpClient client, Match m, bool inside, int number)
    {
        string host = m.Groups["host"].Value, path = m.Groups["path"].Value;
        var page = inside ? new Uri($"http://{host}{(m.Groups["port"].Success ? ":" + m.Groups["port"].Value : "")}{path}")
            : mesh.Page(path);
        using var request = new HttpRequestMessage(new HttpMethod(m.Groups["method"].Value), page);
        if (!inside) request.Headers.Host = host;
        foreach (string header in m.Groups["headers"].Value.Split(", ", StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = header.Split(": ", 2);
            request.Headers.TryAddWithoutValidation(parts[0],
                parts[1].Replace("{n}", number.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        }
        long since = System.Diagnostics.Stopwatch.GetTimestamp();
        try
        {
            using HttpResponseMessage answer = await client.SendAsync(request);
            string body = await answer.Content.ReadAsStringAsync();
            Dictionary<string, string> headers = answer.Headers.Concat(answer.Content.Headers)
                .ToDictionary(h => h.Key.ToLowerInvariant(), h => string.Join(",", h.Value));
            return new RealAnswer((int)answer.StatusCode, headers.GetValueOrDefault("x-app", ""), headers, body,
                System.Diagnostics.Stopwatch.GetElapsedTime(since).TotalMilliseconds);
        }
        catch (Exception broken) when (broken is HttpRequestException or TaskCanceledException)
        {
            return new RealAnswer(0, "", new Dictionary<string, string>(), broken.Message,
                System.Diagnostics.Stopwatch.GetElapsedTime(since).TotalMilliseconds);
        }
    }

    private int Count(Match m) =>
        _answers.Count(a => a.Status == (int)Number(m, "status")
            && (!m.Groups["app"].Success || a.App == m.Groups["app"].Value || a.App.Split(' ')[0] == m.Groups["app"].Value));

    private Task RequireAsync(bool holds) => holds ? Task.CompletedTask
        : throw new ScenarioException("the answers were "
            + string.Join(", ", _answers.GroupBy(a => $"{a.Status} from {a.App} {(a.Status == 0 ? a.Body : "")}")
                .Select(group => $"{group.Count()} x {group.Key}")));

    private static bool Compare(Match m, int found) => m.Groups["how"].Value switch
    {
        "at least " => found >= Number(m, "count"),
        "at most " => found <= Number(m, "count"),
        _ => found == (int)Number(m, "count"),
    };

    private static double Number(Match m, string group) => double.Parse(m.Groups[group].Value, CultureInfo.InvariantCulture);

    private static double Millis(Match m, string amount, string unit) => Number(m, amount) * (m.Groups[unit].Value == "s" ? 1000 : 1);

    private static Regex Whole(string pattern) => new($"^(?:{pattern})$", RegexOptions.CultureInvariant);
}
