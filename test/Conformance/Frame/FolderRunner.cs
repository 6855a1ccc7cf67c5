// Conformance: plays recorded behaviour of the real Istio and Envoy against us, from where the vectors lie. A FolderRunner knows the format
// of one folder (or, for proxy/, of one kind of suite) and yields a verdict for each case; the frame counts, reports, and holds what passed
// once against falling back (Ratchet/, one file a folder, one case a line).
// A runner evaluates with the product's own code and compares; it decides nothing itself, and no case has its result written anywhere but
// in its vector.
namespace Lateen.Test.Conformance.Frame;

/// <summary>The verdict on one case.</summary>
/// <param name="Name">Unique in its folder: table and case.</param>
/// <param name="Passed">It agreed.</param>
/// <param name="Reason">What differed; empty where it passed.</param>
public sealed record CaseResult(string Name, bool Passed, string Reason = "")
{
    /// <summary>It agreed.</summary>
    public static CaseResult Pass(string name) => new(name, true);

    /// <summary>It differed.</summary>
    public static CaseResult Fail(string name, string reason) => new(name, false, reason);
}

/// <summary>Plays one folder.</summary>
public abstract class FolderRunner
{
    /// <summary>The folder below the vectors, e.g. <c>routing</c> or <c>proxy/route-match</c>.</summary>
    public abstract string Folder { get; }

    /// <summary>Plays all cases; an exception ends the folder and fails it by name.</summary>
    /// <param name="path">The folder's full path.</param>
    public abstract IEnumerable<CaseResult> Run(string path);
}
