namespace Lateen.Citadel.Callers;

/// <summary>By what a caller proved who it is.</summary>
public enum CallerProof
{
    /// <summary>A client certificate, seen here or by a trusted gateway.</summary>
    ClientCertificate,

    /// <summary>A token.</summary>
    Token,
}

/// <summary>Who asks the authority.</summary>
/// <param name="Proof">By what it proved it.</param>
/// <param name="Identities">The names it proved, in the order it gave them.</param>
public sealed record Caller(CallerProof Proof, IReadOnlyList<string> Identities);
