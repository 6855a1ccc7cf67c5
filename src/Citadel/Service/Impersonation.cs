using Lateen.Citadel.Callers;

namespace Lateen.Citadel.Service;

/// <summary>Callers that ask in the name of others: node proxies, for the workloads of their own node and no others.</summary>
/// <param name="trusted">Accounts that may, as <c>namespace/account</c> (CA_TRUSTED_NODE_ACCOUNTS).</param>
/// <param name="areNeighbours">Tells whether a workload of the second identity runs on a node where one of the first does.</param>
public sealed class Impersonation(IReadOnlySet<string> trusted, Func<string, string, bool> areNeighbours)
{
    /// <summary>Nobody may.</summary>
    public static Impersonation Nobody { get; } = new(new HashSet<string>(), static (_, _) => false);

    /// <summary>Reads the setting: accounts parted by commas.</summary>
    public static IReadOnlySet<string> Accounts(string setting) =>
        setting.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).ToHashSet();

    /// <summary>Why a caller may not ask for another identity; null where it may.</summary>
    internal string? Problem(Caller caller, string other)
    {
        if (!other.StartsWith("spiffe://", StringComparison.Ordinal) || AccountOf(other) is null) return "what it asks for is no identity";
        foreach (string own in caller.Identities)
        {
            if (AccountOf(own) is not { } account || !trusted.Contains(account)) continue;
            return areNeighbours(own, other) ? null : "no workload of that identity runs on its node";
        }
        return "its account may not ask for others";
    }

    private static string? AccountOf(string identity) =>
        identity.Split('/') is ["spiffe:", "", { Length: > 0 }, "ns", { Length: > 0 } ns, "sa", { Length: > 0 } account]
            ? $"{ns}/{account}" : null;
}
