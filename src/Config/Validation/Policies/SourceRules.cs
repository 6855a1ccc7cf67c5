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
        Addresses(f, path + ".ipBlocks", source.IpBlocks.Concat(source.NotIpBlocks));
        Addresses(f, path + ".remoteIpBlocks", source.RemoteIpBlocks.Concat(source.NotRemoteIpBlocks));
        var accounts = source.ServiceAccounts.Concat(source.NotServiceAccounts).ToArray();
        ServiceAccounts(f, path, source, accounts);
        if (isCustom)
        {
            var usesPeer = accounts.Length + source.Namespaces.Count + source.NotNamespaces.Count + source.Principals.Count + source.NotPrincipals.Count
                + source.RequestPrincipals.Count + source.NotRequestPrincipals.Count + source.TrustDomains.Count + source.NotTrustDomains.Count > 0;
            f.ErrorIf(usesPeer, Codes.Custom, path, "CUSTOM rules cannot use namespaces, serviceAccounts, trustDomains, principals or requestPrincipals");
        }
    }

    private static void ServiceAccounts(Findings f, string path, Source source, string[] accounts)
    {
        var beside = source.Principals.Count + source.NotPrincipals.Count + source.Namespaces.Count + source.NotNamespaces.Count > 0;
        f.ErrorIf(accounts.Length > 0 && beside, Codes.Exclusive, path, "cannot set serviceAccounts with namespaces or principals");
        f.ErrorIf(source.ServiceAccounts.Count > AccountsMax || source.NotServiceAccounts.Count > AccountsMax, Codes.OutOfRange, path + ".serviceAccounts", $"more than {AccountsMax} service accounts");
        foreach (var account in accounts.Where(a => a.Length > 0))
        {
            var parts = account.Split('/');
            f.ErrorIf(parts.Length > 2 || parts.Any(p => p.Length == 0) || account.Contains('*') || account.Length > AccountCharsMax, Codes.Rule, path + ".serviceAccounts",
                $"\"{account}\" is neither a service account nor namespace/service account");
        }
    }

    private static void Addresses(Findings f, string path, IEnumerable<string> blocks)
    {
        foreach (var block in blocks)
        {
            f.ErrorIf(block.Length == 0 ? "empty value not allowed" : NameRules.Subnet(block), Codes.BadAddress, path);
        }
    }
}
