using System.Text.Json;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
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
    /// <inheritdoc/>
    public override string Folder => "istiod-live";

    /// <inheritdoc/>
    protected override void PlayAll() => Play("validate.json", Answer);

    private static string? Answer(JsonElement row)
    {
        if (!row.TryGetProperty("request", out JsonElement review) || !review.TryGetProperty("request", out JsonElement request) || request.ValueKind != JsonValueKind.Object
            || !request.TryGetProperty("object", out JsonElement written) || written.ValueKind != JsonValueKind.Object
            || !row.GetProperty("response").TryGetProperty("response", out JsonElement response) || response.ValueKind != JsonValueKind.Object)
            return "the row is about the webhook's protocol, which is not here yet";

        var findings = Judging.Check(written.GetRawText());
        bool allowed = response.Truth("allowed");
        string message = response.TryGetProperty("status", out JsonElement status) ? status.Text("message") : "";
        // What Istio lets through and we refuse: fields that nobody knows, objects without a name (docs/differences.md).
        if (allowed && findings.Items.Any(i => i.Code == DocumentCodes.UnknownField || i.Code == ResourceCodes.NoName))
            return $"stricter on purpose: {Judging.Spelled(findings)}";
        return allowed == findings.HasErrors ? $"allowed is {allowed} ({message}), found {Judging.Spelled(findings)}"
            : !findings.HasErrors && response.TryGetProperty("warnings", out _) != findings.HasWarnings ? $"warnings {response}, found {Judging.Spelled(findings)}" : null;
    }
}
