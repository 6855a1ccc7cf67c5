using System.Security.Cryptography.X509Certificates;

namespace Lateen.Citadel.Authorities;

/// <summary>Keys that were plugged in and have been replaced where they came from.</summary>
public static class KeyReload
{
    /// <summary>Why the fresh keys may not follow the current ones; null where they may.</summary>
    /// <remarks>
    /// A root that nobody trusts yet must not sign: workloads would refuse each other until all have heard of it. So the new bundle has to
    /// hold the roots of the old one beside its own; the old ones may be taken out when nothing that they signed lives any more.
    /// </remarks>
    public static string? Problem(SigningBundle current, SigningBundle fresh, DateTimeOffset now)
    {
        if (fresh.Signer.NotAfter.ToUniversalTime() <= now.UtcDateTime) return "the new signing certificate has expired";
        bool same = current.Roots.Any(root => IsIn(root, fresh.Roots));
        return same
            ? null
            : "root-cert.pem holds none of the roots that are trusted now: write the old root beside the new one, and take it out when "
                + "all workloads have new certificates";
    }

    /// <summary>Whether anything differs.</summary>
    public static bool IsChange(SigningBundle current, SigningBundle fresh) =>
        current.RootsPem != fresh.RootsPem || current.ChainPem != fresh.ChainPem || !Same(current.Signer, fresh.Signer);

    private static bool IsIn(X509Certificate2 one, IEnumerable<X509Certificate2> all) => all.Any(other => Same(one, other));

    private static bool Same(X509Certificate2 one, X509Certificate2 other) =>
        one.RawDataMemory.Span.SequenceEqual(other.RawDataMemory.Span);
}
