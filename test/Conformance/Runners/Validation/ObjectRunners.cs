using System.Text.Json;
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
        Judging.Verdict(row, Judging.Check(row.TryGetProperty("resource", out JsonElement resource)
            ? resource.GetRawText() : File.ReadAllText(Path.Combine(_path, row.Text("file"))))));
}
