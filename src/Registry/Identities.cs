namespace Lateen.Registry;

/// <summary>SPIFFE identities of workloads.</summary>
public static class Identities
{
    /// <summary><c>spiffe://trust-domain/ns/namespace/sa/account</c>; an <c>@</c> in the trust domain is written as a dot.</summary>
    public static string Of(string trustDomain, string ns, string serviceAccount) =>
        $"spiffe://{trustDomain.Replace('@', '.')}/ns/{ns}/sa/{serviceAccount}";
}
