namespace Lateen.Citadel.Authorities;

/// <summary>What kept an authority from signing.</summary>
public enum SigningFault
{
    /// <summary>The request can't be read, or does not prove its key.</summary>
    Request,

    /// <summary>It asks for too long a life.</summary>
    Life,

    /// <summary>The authority has no certificate that is good.</summary>
    NotReady,
}

/// <summary>Why nothing was signed.</summary>
/// <param name="Fault">What kind.</param>
/// <param name="Text">For a person.</param>
public sealed record SigningProblem(SigningFault Fault, string Text);
