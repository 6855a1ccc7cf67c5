using Istio.Security.V1Beta1;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Policies;

/// <summary>The sources of an authorization rule.</summary>
internal static class SourceRules
{
    private const int AccountsMax = 16;
    private const int AccountCharsMax = 320;

    public static void Check(Findings f, string path, Source? source, bool isCustom)
    {
        if (source is null || source.Equals(new Source()))
        {
            f.Error(Codes.Rule, path, "source must not be empty");
            return;
        }

        AuthorizationRules.Values(f, path + ".principals", source.Principals, source.NotPrincipals);
        AuthorizationRules.Values(f, path + ".requestPrincipals", source.RequestPrincipals, source.NotRequestPrincipals);
        AuthorizationRules.Values(f, path + ".namespaces", source.Namespaces, source.NotNamespaces);
        AuthorizationRules.Values(f, path + ".serviceAccounts", source.ServiceAccounts, source.NotServiceAccounts);
        AuthorizationRules.Values(f, path + ".trustDomains", source.TrustDomains, source.NotTrustDomains);
        f.ErrorIf(TrustDomainProblem(source.TrustDomains.Concat(source.NotTrustDomains)), Codes.Rule, path + ".trustDomains");
        Addresses(f, path + ".ipBlocks", source.IpBlocks.Concat(source.NotIpBlocks));
        Addresses(f, path + ".remoteIpBlocks", source.RemoteIpBlocks.Concat(source.NotRemoteIpBlocks));
        var accounts = source.ServiceAccounts.Concat(source.NotServiceAccounts).ToArray();
        ServiceAccounts(f, path, source, accounts);
        if (isCustom)
        {
            var usesPeer = accounts.Length + source.Namespaces.Count + source.NotNamespaces.Count + source.Principals.Count
                + source.NotPrincipals.Count
                + source.RequestPrincipals.Count + source.NotRequestPrincipals.Count + source.TrustDomains.Count
                + source.NotTrustDomains.Count > 0;
            f.ErrorIf(usesPeer, Codes.Custom, path,
                "CUSTOM rules cannot use namespaces, serviceAccounts, trustDomains, principals or requestPrincipals");
        }
    }

    private static void ServiceAccounts(Findings f, string path, Source source, string[] accounts)
    {
        var beside = source.Principals.Count + source.NotPrincipals.Count + source.Namespaces.Count + source.NotNamespaces.Count > 0;
        f.ErrorIf(accounts.Length > 0 && beside, Codes.Exclusive, path, "cannot set serviceAccounts with namespaces or principals");
        f.ErrorIf(source.ServiceAccounts.Count > AccountsMax || source.NotServiceAccounts.Count > AccountsMax, Codes.OutOfRange,
            path + ".serviceAccounts", $"more than {AccountsMax} service accounts");
        f.ErrorIf(AccountProblem(accounts.Where(a => a.Length > 0)), Codes.Rule, path + ".serviceAccounts");
    }

    /// <summary>Why one of the texts is neither a service account nor one with its namespace; null when all are.</summary>
    public static string? AccountProblem(IEnumerable<string> accounts)
    {
        foreach (var account in accounts)
        {
            var parts = account.Split('/');
            if (parts.Length > 2 || parts.Any(p => p.Length == 0) || account.Contains('*') || account.Length > AccountCharsMax)
                return $"\"{account}\" is neither a service account nor namespace/service account";
        }
        return null;
    }

    /// <summary>Why one of the texts is no trust domain, whole or with an asterisk at an end; null when all are.</summary>
    public static string? TrustDomainProblem(IEnumerable<string> values)
    {
        var all = values.ToArray();
        return all.FirstOrDefault(v => v.Contains('/')) is { } bad
            ? $"\"{bad}\" is not a trust domain: it has a slash" : WildcardProblem(all);
    }

    /// <summary>Why a text is empty or has an asterisk in another place than at one of its ends; null when none is.</summary>
    public static string? WildcardProblem(IEnumerable<string> values)
    {
        foreach (var value in values)
        {
            if (value.Length == 0) return "empty value not allowed";
            var at = value.IndexOf('*');
            var isMisplaced = at >= 0 && (value.LastIndexOf('*') != at || (at != 0 && at != value.Length - 1));
            if (isMisplaced) return $"\"{value}\": an asterisk may stand once, at the beginning or at the end";
        }
        return null;
    }

    private static void Addresses(Findings f, string path, IEnumerable<string> blocks)
    {
        foreach (var block in blocks)
            f.ErrorIf(block.Length == 0 ? "empty value not allowed" : NameRules.Subnet(block), Codes.BadAddress, path);
    }
}
