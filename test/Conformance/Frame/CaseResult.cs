namespace Lateen.Test.Conformance.Frame;

/// <summary>What became of one case.</summary>
/// <param name="Name">Name, unique in its folder.</param>
/// <param name="Passed">It came out as expected.</param>
/// <param name="Reason">Why not; empty when it passed.</param>
public sealed record CaseResult(string Name, bool Passed, string Reason = "");
