using System.Text.Json;
using Lateen.Agent.Capture;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Plays <c>iptables</c> as far as the agent makes rules: those of a sidecar, as iptables-restore takes them.</summary>
public sealed class IptablesRunner : RowsRunner
{
    private static readonly JsonSerializerOptions Names = new() { PropertyNameCaseInsensitive = true };
    private static readonly string[] Lines = ["* ", "-N ", "-A ", "-I "];
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "iptables";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", row =>
    {
        if (row.Text("tool") != "sidecar-iptables") return $"nobody makes the rules of {row.Text("tool")}";
        (RuleSet v4, RuleSet v6) = SidecarRules.Build(row.GetProperty("config").Deserialize<CaptureOptions>(Names)!);
        return Differs(Rules(File.ReadAllText(Path.Combine(_path, row.Text("want")))), Rules(v4.ToRestoreText() + v6.ToRestoreText()));
    });

    // Which commands look at the rules before is the program's own matter; the rules and their order are not.
    private static string Rules(string text) =>
        string.Join('\n', text.Split('\n').Select(line => line.Trim())
            .Where(line => Lines.Any(start => line.StartsWith(start, StringComparison.Ordinal))));
}
