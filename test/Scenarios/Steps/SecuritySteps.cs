using Lateen.Test.Rigs.Stage;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Scenarios.Steps;

/// <summary>Identities: who has a certificate, what becomes of it, and callers who have none.</summary>
internal static class SecuritySteps
{
    private const string Who = @"(?<who>[a-z][a-z0-9.-]*(?: v\d+)?)";

    public static readonly Step[] All =
    [
        new(@"a stranger calls " + Who + @" GET (?<path>/\S*)(?: (?<times>\d+) times)?", (play, m, _) =>
        {
            Pod pod = play.Mesh.Find(m.Groups["who"].Value)[0];
            play.Calls.Clear();
            for (int i = 0; i < (m.Groups["times"].Success ? int.Parse(m.Groups["times"].Value) : 1); i++)
                play.Calls.Add(play.Mesh.Call(play.Mesh.Outside, pod.Host.Ip.WithPort(9080),
                    new CallRequest("GET", m.Groups["path"].Value, "reviews:9080", []), null));
            play.Mesh.Await(play.Calls);
        }),
        new("the authority goes away", (play, _, _) => play.Mesh.ControlPlane.Secure.IsAway = true),
        new("the authority comes back", (play, _, _) => play.Mesh.ControlPlane.Secure.IsAway = false),
        new("the root is rotated", (play, _, _) => play.Mesh.ControlPlane.Secure.RotateRoot()),
        new(Who + @" has the token of (?<ns>\S+)/(?<account>\S+)", (play, m, _) =>
        {
            foreach (Pod pod in play.Mesh.Find(m.Groups["who"].Value))
                pod.OtherToken = play.Mesh.ControlPlane.Secure.Token(m.Groups["ns"].Value, m.Groups["account"].Value);
        }),
        new(Who + " has a token that nobody issued",
            (play, m, _) => { foreach (Pod pod in play.Mesh.Find(m.Groups["who"].Value)) pod.OtherToken = "a.b.c"; }),
        new(Who + " has its own token again",
            (play, m, _) => { foreach (Pod pod in play.Mesh.Find(m.Groups["who"].Value)) pod.OtherToken = null; }),
        new(@"(?<least>\d+) certificates have been issued(?<more> or more)?", (play, m, _) =>
        {
            long issued = play.Mesh.ControlPlane.Secure.Issued, expected = long.Parse(m.Groups["least"].Value);
            if (m.Groups["more"].Success ? issued < expected : issued != expected)
                throw new ScenarioException($"{issued} have been issued");
        }),
        new("every certificate is good", (play, _, _) =>
        {
            DateTimeOffset now = DateTimeOffset.UnixEpoch.AddTicks(play.Mesh.Outside.WallClock * 10);
            foreach (Pod pod in play.Mesh.Pods)
                if (pod.Agent?.Identity.Secret is not { } secret || secret.Ends <= now)
                    throw new ScenarioException($"{pod.Name} has none: {pod.Agent?.Identity.Problem}");
        }),
        new(Who + @" trusts (?<count>\d+) roots?", (play, m, _) =>
        {
            int count = play.Mesh.Find(m.Groups["who"].Value)[0].Agent!.Identity.RootsPem.Split("BEGIN CERTIFICATE").Length - 1;
            if (count != int.Parse(m.Groups["count"].Value)) throw new ScenarioException($"it trusts {count}");
        }),
        new(Who + @" was called by (?<identity>spiffe://\S+)",
            (play, m, _) => ExpectCaller(play, m.Groups["who"].Value, "URI=" + m.Groups["identity"].Value)),
        new(Who + " was called by a stranger", (play, m, _) => ExpectCaller(play, m.Groups["who"].Value, null)),
        new(Who + " has no certificate", (play, m, _) =>
        {
            if (play.Mesh.Find(m.Groups["who"].Value)[0].Agent!.Identity.Secret is not null) throw new ScenarioException("it has one");
        }),
    ];

    // What the sidecar tells its application of the caller's certificate (X-Forwarded-Client-Cert).
    private static void ExpectCaller(Play play, string who, string? uri)
    {
        SeenRequest last = play.Mesh.Find(who).SelectMany(pod => pod.Application!.Seen).MaxBy(seen => seen.At)
            ?? throw new ScenarioException("it saw no request");
        string? told = last.Headers.FirstOrDefault(header => header.Name == "x-forwarded-client-cert").Value;
        if (uri is null ? told is not null : told?.EndsWith(uri, StringComparison.Ordinal) != true)
            throw new ScenarioException($"it was told \"{told}\"");
    }
}
