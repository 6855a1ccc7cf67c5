using Lateen.ControlPlane.Operator;
using Lateen.Test.Rigs;
using Lateen.Test.Rigs.Stage;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Scenarios.Steps;

/// <summary>The stage and what is applied to it.</summary>
internal static class ConfigurationSteps
{
    public static readonly Step[] All =
    [
        new("bookinfo", (play, _, _) => Bookinfo.SetUp(play.Mesh)),
        new("bookinfo with certificates", (play, _, _) =>
        {
            play.Mesh.HasAgents = true;
            Bookinfo.SetUp(play.Mesh);
        }),
        new(@"(?<app>[a-z-]+) (?<version>v\d+) runs(?: in namespace (?<ns>\S+))?", (play, m, _) =>
        {
            play.Mesh.AddPod(m.Groups["app"].Value, m.Groups["version"].Value, Namespace(m.Groups["ns"].Value));
            play.Mesh.Settle();
        }),
        new(@"a service (?<app>[a-z-]+)(?: in namespace (?<ns>\S+))? with (?<protocol>http|http2|grpc|tcp) port (?<port>\d+)",
            (play, m, _) =>
            {
                int port = int.Parse(m.Groups["port"].Value);
                play.Mesh.AddService(m.Groups["app"].Value, Namespace(m.Groups["ns"].Value),
                    new PortManifest(port, port, m.Groups["protocol"].Value));
                play.Mesh.Settle();
            }),
        new(@"an external server (?<name>\S+) at (?<ip>\S+) with (?<protocol>http|tcp) port (?<port>\d+)", (play, m, _) =>
            play.Mesh.AddExternal(m.Groups["name"].Value, m.Groups["ip"].Value, int.Parse(m.Groups["port"].Value),
                m.Groups["protocol"].Value)),
        new(@"DNS knows (?<name>\S+) at (?<ip>\S+)", (play, m, _) => play.Mesh.Name(m.Groups["name"].Value, m.Groups["ip"].Value)),
        new("mesh configuration", (play, _, block) =>
        {
            play.Mesh.MeshConfig(block);
            play.Mesh.Settle();
        }),
        new(@"apply(?: (?<file>samples/\S+))?", (play, m, block) => Apply(play, m.Groups["file"].Value, block)),
        new("apply is tried", (play, _, block) => play.LastApply = play.Mesh.Apply(play.File, block)),
        new(@"delete (?<kind>\w+) (?<name>\S+)(?: in namespace (?<ns>\S+))?", (play, m, _) =>
            Deleted(play, play.Mesh.ControlPlane.Delete([new Target(m.Groups["kind"].Value, m.Groups["name"].Value)], [],
                Namespace(m.Groups["ns"].Value)))),
        new("delete together",
            (play, _, block) => Deleted(play, play.Mesh.ControlPlane.Delete([], [new SourceText(play.File, block)], null))),
        new(@"the apply is refused with ""(?<text>.*)""", (play, m, _) =>
        {
            if (Last(play).Accepted) throw new ScenarioException("it was accepted");
            ExpectFinding(play, m.Groups["text"].Value);
        }),
        new("the apply is refused", (play, _, _) => { if (Last(play).Accepted) throw new ScenarioException("it was accepted"); }),
        new("the apply is accepted", (play, _, _) => { if (!Last(play).Accepted) throw new ScenarioException(Findings(play)); }),
        new(@"the apply says ""(?<text>.*)""", (play, m, _) => ExpectFinding(play, m.Groups["text"].Value)),
        new(@"(?<kind>[A-Z]\w+) (?<name>\S+) says ""(?<text>.*)""", (play, m, _) =>
        {
            StoredObject found = play.Mesh.ControlPlane.Control!.Configuration.Objects(m.Groups["kind"].Value, "default",
                m.Groups["name"].Value, null).Value!.Items[0];
            if (!found.Findings.Any(f => f.Text.Contains(m.Groups["text"].Value, StringComparison.OrdinalIgnoreCase)))
                throw new ScenarioException("it says: " + string.Join("; ", found.Findings.Select(f => f.Text)));
        }),
        new(@"the mistake is at line (?<line>\d+)", (play, m, _) =>
        {
            if (!Last(play).Findings.Any(f => f.Place?.Split(':').Skip(1).FirstOrDefault() == m.Groups["line"].Value))
                throw new ScenarioException(Findings(play));
        }),
        new(@"(?<count>\d+) mistakes are named", (play, m, _) =>
        {
            if (Last(play).Findings.Count(f => f.Level == "error") != int.Parse(m.Groups["count"].Value))
                throw new ScenarioException(Findings(play));
        }),
    ];

    private static void Deleted(Play play, Answer<ChangeAnswer> answer)
    {
        if (answer.Value is not { Accepted: true })
            throw new ScenarioException(
                $"it was not deleted: {answer.Refusal?.ToString() ?? string.Join("; ", answer.Value!.Findings.Select(f => f.Text))}");
        play.Mesh.Settle();
    }

    private static string Namespace(string written) => written.Length > 0 ? written : "default";

    private static void Apply(Play play, string file, string block)
    {
        if (file.Length == 0) play.Mesh.ApplyOrFail(play.File, block);
        foreach (string path in file.Length == 0 ? [] : FilesOf(Path.Combine(Repository.Root, file)))
            play.Mesh.ApplyOrFail(Path.GetRelativePath(Repository.Root, path), File.ReadAllText(path));
        play.Mesh.Settle();
    }

    private static string[] FilesOf(string path) => File.Exists(path) ? [path]
        : Directory.Exists(path) ? [.. Directory.GetFiles(path, "*.yaml").Order(StringComparer.Ordinal)]
        : throw new ScenarioException($"there is no {path}");

    private static ChangeAnswer Last(Play play) => play.LastApply ?? throw new ScenarioException("nothing was tried to be applied");

    private static void ExpectFinding(Play play, string text)
    {
        if (!Last(play).Findings.Any(f => $"{f.Text} {f.Remedy}".Contains(text, StringComparison.OrdinalIgnoreCase)))
            throw new ScenarioException(Findings(play));
    }

    private static string Findings(Play play) =>
        "it said: " + string.Join("; ", Last(play).Findings.Select(f => $"[{f.Level} {f.Code}] {f.Place} {f.Text} {f.Remedy}"));
}
