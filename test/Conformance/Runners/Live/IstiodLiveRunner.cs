using System.Text.Json;
using Lateen.ControlPlane.Admission;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Live;

/// <summary>Plays <c>istiod-live</c>: what a live istiod answered at each of its doors.</summary>
public sealed class IstiodLiveRunner : RowsRunner
{
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "istiod-live";

    /// <inheritdoc/>
    public override IEnumerable<Frame.CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll()
    {
        Play("validate.json", Answer);
        Play("inject.json", Injection.LiveWebhook.Answer);
        Play("ca.json", Security.CertificateRows.Verdict);
        using var stand = new LiveStand(new LiveWorld(_path));
        using var pages = new LivePages(stand, _path);
        Play("debug.json", pages.Page);
        stand.TakeAddress("istio-system", "istio-ingressgateway");
        Play("xds-auth.json", new LiveStreams(stand).FirstAnswer);
        var written = new WrittenObjects(stand, _path);
        Play("status.json", new LiveStatus(stand, _path).Said);
        Add("written-objects.json", written.Play());
        LiveCallers.Call(stand, _path);
        Play("metrics.json", pages.Family);
        // Part of the world, not a table.
        Add("pods.json", []);
    }

    private static string? Answer(JsonElement row)
    {
        bool isRaw = row.TryGetProperty("rawRequest", out JsonElement raw);
        // What is not JSON by its name never comes to a verdict; the door itself is tested where doors are.
        if (row.TryGetProperty("requestContentType", out JsonElement type) && type.GetString() != "application/json")
            return row.GetProperty("httpStatus").GetInt32() == 415 ? null : "a status that the door does not give";

        string answered = AdmissionReviews.Answer(isRaw ? raw.GetString()! : row.GetProperty("request").GetRawText()).Body;
        using var ours = JsonDocument.Parse(answered);
        JsonElement wanted = row.GetProperty("response"), given = ours.RootElement;
        if (wanted.TryGetProperty("kind", out JsonElement kind) != given.TryGetProperty("kind", out JsonElement other)
            || (kind.ValueKind == JsonValueKind.String && kind.GetString() != other.GetString())) return $"another envelope: {answered}";
        (wanted, given) = (wanted.GetProperty("response"), given.GetProperty("response"));
        return wanted.Truth("allowed") != given.Truth("allowed")
            || wanted.TryGetProperty("warnings", out _) != given.TryGetProperty("warnings", out _)
            ? $"wanted {wanted}, given {given}" : null;
    }
}
