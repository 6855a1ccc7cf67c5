using System.Text.Json;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Generation.Security.Names;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.Test.Conformance.Runners.Tables.Rules;

/// <summary>Identities, trust domains, names of credentials.</summary>
internal static class IdentityTables
{
    public static string? Parse(JsonElement row, JsonElement context)
    {
        var made = Identities.Parse(row.Text("input"));
        if (row.Field("expected") is not { } want) return made is null ? null : $"have {made}, want none";
        return made is null
            ? "have none"
            : Rows.Same((made.TrustDomain, made.Namespace, made.ServiceAccount),
                (want.Text("trustDomain"), want.Text("namespace"), want.Text("serviceAccount")))
                ?? Rows.Same(made.ToString(), row.Text("input"));
    }

    public static string? Make(JsonElement row, JsonElement context)
    {
        Identities.TryMake(row.Text("trustDomain"), row.Text("namespace"), row.Text("serviceAccount"), out var identity, out var problem);
        if (row.Text("expectedError") is { Length: > 0 } error) return problem?.Contains(error, StringComparison.Ordinal) == true
            ? null : $"have {identity ?? problem}, want the error {error}";
        return Rows.Same(identity, row.Text("expectedURI"));
    }

    public static string? Expand(JsonElement row, JsonElement context) => Rows.SameList(
        Identities.InTrustDomains(row.Texts("spiffeURI"), row.Texts("trustDomains")).Order(StringComparer.Ordinal),
        row.GetProperty("want").EnumerateObject().Select(item => item.Name).Order(StringComparer.Ordinal));

    public static string? Enforced(JsonElement row, JsonElement context) =>
        Rows.Same(TrustDomainAliases.IsEnforced(row.Text("principal")), row.Flag("want"));

    public static string? TrustDomain(JsonElement row, JsonElement context) =>
        Rows.Same(TrustDomainAliases.DomainOf(row.Text("principal")) ?? "", row.Text("out"));

    public static string? Replace(JsonElement row, JsonElement context)
    {
        var made = TrustDomainAliases.In(row.Text("trustDomainIn"), row.Text("principal"));
        return row.Text("expectedError").Length > 0 ? Rows.Same(made, null) : Rows.Same(made, row.Text("out"));
    }

    public static string? Match(JsonElement row, JsonElement context) =>
        Rows.Same(TrustDomainAliases.MatchesAny(row.Text("element"), row.Texts("list")), row.Flag("expected"));

    public static string? Credential(JsonElement row, JsonElement context)
    {
        var made = CredentialName.Parse(row.Text("resource"), row.Text("defaultNamespace"));
        if (row.Flag("err")) return made is null ? null : $"have {made}, want none";
        var want = row.GetProperty("expected");
        var have = made is null ? default : (
            made.Source switch { CredentialSource.Kubernetes => "kubernetes", CredentialSource.KubernetesGateway => "kubernetes-gateway",
                _ => "configmap" },
            made.Source == CredentialSource.ConfigMap
                ? "ConfigMap" : "Secret", made.Namespace, made.Name, made.Resource, made.IsOfConfigCluster ? "config" : "cluster");
        return Rows.Same(have, (want.Text("resourceType"), want.Text("resourceKind"), want.Text("namespace"), want.Text("name"),
            want.Text("resourceName"), want.Text("cluster")));
    }

    public static string? Files(JsonElement row, JsonElement context)
    {
        var made = FileCredential.Parse(row.Text("resource"));
        var want = row.GetProperty("output");
        return Rows.Same((made?.IsRoot == true, made is { IsRoot: false }), (row.Flag("root"), row.Flag("key")))
            ?? Rows.Same((made?.Certificate ?? "", made?.Key ?? "", made?.Root ?? ""),
                (want.Text("certificatePath"), want.Text("privateKeyPath"), want.Text("caCertificatePath")))
            ?? Rows.Same(made is null ? "" : made.ResourceName, row.Text(made?.IsRoot == true ? "rootResourceName" : "resourceName"));
    }

    public static string? KeysAddress(JsonElement row, JsonElement context)
    {
        var made = JwksAddress.Parse(row.Text("in"));
        if (row.Flag("expectedError")) return made is null ? null : $"have {made}, want an error";
        var want = row.GetProperty("expected");
        return made is null ? "have none"
            : Rows.Same((made.Host, made.Port, made.IsTls, made.IsTls ? "https" : "http"),
                (want.Text("hostname"), want.Number("port"), want.Flag("useSSL"), want.Text("scheme")));
    }
}
