using System.Diagnostics.CodeAnalysis;

namespace Lateen.Registry;

/// <summary>A SPIFFE identity of a workload, taken apart. Writing it gives back what was read.</summary>
/// <param name="TrustDomain">Trust domain.</param>
/// <param name="Namespace">Namespace.</param>
/// <param name="ServiceAccount">Service account.</param>
public sealed record Identity(string TrustDomain, string Namespace, string ServiceAccount)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Identities.Scheme}{TrustDomain}/ns/{Namespace}/sa/{ServiceAccount}";
}

/// <summary>SPIFFE identities of workloads: <c>spiffe://trust-domain/ns/namespace/sa/account</c>.</summary>
public static class Identities
{
    /// <summary>What every identity begins with.</summary>
    public const string Scheme = "spiffe://";

    /// <summary>The identity of a workload; an <c>@</c> in the trust domain is written as a dot.</summary>
    public static string Of(string trustDomain, string ns, string serviceAccount) =>
        new Identity(trustDomain.Replace('@', '.'), ns, serviceAccount).ToString();

    /// <summary>The identity of a workload, or what is missing for it.</summary>
    public static bool TryMake(string trustDomain, string ns, string serviceAccount, [NotNullWhen(true)] out string? identity,
        [NotNullWhen(false)] out string? problem)
    {
        var isWhole = ns.Length > 0 && serviceAccount.Length > 0;
        identity = isWhole ? Of(trustDomain, ns, serviceAccount) : null;
        problem = isWhole ? null : $"namespace or service account empty for SPIFFE uri ns={ns} serviceAccount={serviceAccount}";
        return isWhole;
    }

    /// <summary>Takes an identity apart; null when it is none.</summary>
    public static Identity? Parse(string text) =>
        text.StartsWith(Scheme, StringComparison.Ordinal)
            && text[Scheme.Length..].Split('/') is [var domain, "ns", var ns, "sa", var account] ? new(domain, ns, account) : null;

    /// <summary>Every identity, and beside it the same account in each of the trust domains; texts that are no identities stay
    /// alone.</summary>
    public static IReadOnlySet<string> InTrustDomains(IEnumerable<string> identities, IReadOnlyCollection<string> trustDomains)
    {
        var all = new HashSet<string>(StringComparer.Ordinal);
        foreach (var text in identities)
        {
            all.Add(text);
            if (Parse(text) is { } identity)
                all.UnionWith(trustDomains.Select(domain => (identity with { TrustDomain = domain }).ToString()));
        }
        return all;
    }
}
