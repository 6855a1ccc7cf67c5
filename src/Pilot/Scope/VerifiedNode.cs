using Lateen.Registry;

namespace Lateen.Pilot.Scope;

/// <summary>What a proxy says of itself beside what it has proved.</summary>
public static class VerifiedNode
{
    /// <summary>The node with the identity that fits what it says: of its namespace and, where it names one, of its service account. Null
    /// where none fits.</summary>
    /// <param name="node">What it says.</param>
    /// <param name="identities">What it has proved; null where nothing was asked of it, and nothing is then known.</param>
    public static ProxyNode? Of(ProxyNode node, IReadOnlyList<string>? identities)
    {
        if (identities is null) return node;
        var fitting = identities.Select(Identities.Parse).FirstOrDefault(identity => identity is not null && Fits(identity, node));
        return fitting is null ? null : node with { VerifiedIdentity = fitting };
    }

    /// <summary>What is said to a proxy none of whose identities fits, in istiod's words.</summary>
    public static string Stranger(ProxyNode node, IReadOnlyList<string> identities) =>
        $"authorization failed: no identities ([{string.Join(' ', identities)}]) matched {node.Namespace}/{node.Metadata.ServiceAccount}";

    private static bool Fits(Identity identity, ProxyNode node) =>
        (node.Namespace.Length == 0 || node.Namespace == identity.Namespace)
            && (node.Metadata.ServiceAccount.Length == 0 || node.Metadata.ServiceAccount == identity.ServiceAccount);
}
