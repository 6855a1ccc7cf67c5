namespace Lateen.Citadel.Certificates;

/// <summary>Common names of certificates that serve and call: clients older than subject alternative names look there.</summary>
internal static class CommonNames
{
    // ub-common-name of RFC 5280.
    private const int Limit = 64;

    /// <summary>The common name for a comma-separated list of hosts: the first. Null with the problem said if it is longer than the
    /// standard lets it be.</summary>
    public static string? Of(string hosts, out string? problem)
    {
        var first = hosts.Split(',', 2)[0];
        problem = first.Length > Limit ? $"certificate CN upper bound exceeded ({first.Length}>{Limit}): {first}" : null;
        return problem is null ? first : null;
    }
}
