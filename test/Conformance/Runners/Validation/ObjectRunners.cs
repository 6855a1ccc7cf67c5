using System.Text.Json;
using Lateen.ControlPlane.Admission;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Validation;

/// <summary>Plays <c>crd-validation</c>: what the API server's schemas and rules accept.</summary>
public sealed class CrdValidationRunner : RowsRunner
{
    /// <inheritdoc/>
    public override string Folder => "crd-validation";

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", row => Judging.Verdict(row, Judging.Check(row.Text("resource"))));
}

/// <summary>Plays <c>gateway-api-validation</c>: what the Gateway API's schemas and rules accept.</summary>
public sealed class GatewayApiValidationRunner : RowsRunner
{
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "gateway-api-validation";

    /// <inheritdoc/>
    public override IEnumerable<Frame.CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", row =>
        Judging.Verdict(row, Judging.Check(row.TryGetProperty("resource", out JsonElement resource) ? resource.GetRawText() : File.ReadAllText(Path.Combine(_path, row.Text("file"))))));
}

/// <summary>Plays the webhook's part of <c>istiod-live</c>: admission reviews and what a live istiod answered.</summary>
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
        var pages = new LivePages(_path);
        Play("debug.json", pages.Page);
        Play("metrics.json", pages.Family);
    }

    private static string? Answer(JsonElement row)
    {
        bool isRaw = row.TryGetProperty("rawRequest", out JsonElement raw);
        // What is not JSON by its name never comes to a verdict; the door itself is tested where doors are.
        if (row.TryGetProperty("requestContentType", out JsonElement type) && type.GetString() != "application/json") return row.GetProperty("httpStatus").GetInt32() == 415 ? null : "a status that the door does not give";

        string answered = AdmissionReviews.Answer(isRaw ? raw.GetString()! : row.GetProperty("request").GetRawText()).Body;
        using var ours = JsonDocument.Parse(answered);
        JsonElement wanted = row.GetProperty("response"), given = ours.RootElement;
        if (wanted.TryGetProperty("kind", out JsonElement kind) != given.TryGetProperty("kind", out JsonElement other) || (kind.ValueKind == JsonValueKind.String && kind.GetString() != other.GetString())) return $"another envelope: {answered}";
        (wanted, given) = (wanted.GetProperty("response"), given.GetProperty("response"));
        return wanted.Truth("allowed") != given.Truth("allowed") || wanted.TryGetProperty("warnings", out _) != given.TryGetProperty("warnings", out _) ? $"wanted {wanted}, given {given}" : null;
    }
}
