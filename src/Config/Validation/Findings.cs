// What Istio's webhook and CRDs refuse or warn about, as pure functions per kind. A check takes a message and says what is wrong with its
// path; it knows no other object, no registry and no clock. Rules over several objects (a subset that nobody defines, a host that nobody
// has) are analysis, not validation: they depend on what else exists and must never keep an object out.
//
// Checks accumulate: the first mistake does not hide the second. The texts are ours; the rules are Istio's (pkg/config/validation and the
// CRDs), with the same verdict on the same input.
// Refused: rules as attributes or a schema language (half of them relate fields to each other, and a person must be able to read them).
using Lateen.Api.Diagnostics;

namespace Lateen.Config.Validation;

/// <summary>Collects what is wrong with one object. Paths begin at the object, like <c>spec.http[0]</c>.</summary>
public sealed class Findings
{
    private readonly List<Finding> _items = [];

    public IReadOnlyList<Finding> Items => _items;

    public bool HasErrors { get; private set; }

    public bool HasWarnings { get; private set; }

    /// <summary>The object may not be taken in.</summary>
    public void Error(DiagnosticCode code, string path, string text)
    {
        HasErrors = true;
        _items.Add(new Finding(code, DiagnosticLevel.Error, path, text));
    }

    /// <summary>The object is taken in, but probably does not say what was meant.</summary>
    public void Warn(DiagnosticCode code, string path, string text)
    {
        HasWarnings = true;
        _items.Add(new Finding(code, DiagnosticLevel.Warning, path, text));
    }

    /// <summary>An error when there is a reason for one.</summary>
    public void ErrorIf(string? reason, DiagnosticCode code, string path)
    {
        if (reason is not null) Error(code, path, reason);
    }

    public void ErrorIf(bool isWrong, DiagnosticCode code, string path, string text)
    {
        if (isWrong) Error(code, path, text);
    }

    public void WarnIf(bool isOdd, DiagnosticCode code, string path, string text)
    {
        if (isOdd) Warn(code, path, text);
    }
}

/// <summary>One mistake in an object.</summary>
public sealed record Finding(DiagnosticCode Code, DiagnosticLevel Level, string Path, string Text);
