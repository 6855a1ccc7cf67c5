using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;

namespace Lateen.Config.Sources.Kubernetes.Access;

/// <summary>Makes a <see cref="ClusterAccess"/> out of the chosen parts of a kubeconfig.</summary>
internal sealed class AccessBuilder(TimeProvider time, KubeConfigReader.Allow allow, DiagnosticBag diagnostics)
{
    private static readonly string[] ExecVersions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

    public ClusterAccess? Build(string name, string ns, KubeEntry cluster, KubeEntry? user)
    {
        var server = cluster.Node.Text("server") ?? "";
        if (!Uri.TryCreate(server.Contains("://", StringComparison.Ordinal) ? server : "http://" + server, UriKind.Absolute,
            out var address) || server.Length == 0)
        {
            Add(AccessCodes.Unusable, cluster, "server", $"cluster \"{cluster.Name}\" has no usable server address");
            return null;
        }

        var access = new ClusterAccess
        {
            Name = name,
            Namespace = ns,
            Server = address,
            Authorities = Authorities(cluster),
            IsInsecure = IsTrue(cluster, "insecure-skip-tls-verify")
                && Allowed(KubeConfigReader.Allow.Insecure, cluster, "insecure-skip-tls-verify"),
            TlsServerName = cluster.Node.Text("tls-server-name") ?? "",
            Proxy = Proxy(cluster),
            DisableCompression = IsTrue(cluster, "disable-compression"),
            Credentials = user is null ? FixedCredential.None : Credentials(user, cluster),
            Impersonation = user is null ? [] : [.. Impersonation(user.Node)],
        };
        return diagnostics.HasErrors ? null : access;
    }

    private X509Certificate2Collection? Authorities(KubeEntry cluster)
    {
        var pem = Material(cluster, "certificate-authority");
        try
        {
            return pem is null ? null : Pem.Authorities(pem);
        }
        catch (CryptographicException e)
        {
            Add(AccessCodes.Unusable, cluster, "certificate-authority",
                $"the authority of cluster \"{cluster.Name}\" cannot be read: {e.Message}");
            return null;
        }
    }

    private Uri? Proxy(KubeEntry cluster)
    {
        if (cluster.Node.Text("proxy-url") is not { Length: > 0 } text || !Allowed(KubeConfigReader.Allow.Proxy, cluster, "proxy-url"))
            return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var proxy) && proxy.Scheme is "http" or "https" or "socks5") return proxy;
        Add(AccessCodes.Unusable, cluster, "proxy-url", $"the proxy of cluster \"{cluster.Name}\" is no http, https or socks5 address");
        return null;
    }

    /// <summary>kubectl's order: a token in the file, then one in another file, a name and password, a program; the certificate goes with
    /// any of them.</summary>
    private ICredentialSource Credentials(KubeEntry user, KubeEntry cluster)
    {
        if (user.Node["auth-provider"] is MappingNode provider)
        {
            Add(AccessCodes.Refused, user, "auth-provider",
                $"user \"{user.Name}\" has the auth-provider \"{provider.Text("name")}\", which Kubernetes itself no longer has");
            return FixedCredential.None;
        }

        var certificate = ClientCertificate(user);
        // As kubectl: the file is renewed, the text beside it is its first content.
        if (user.Node.Text("tokenFile") is { Length: > 0 } file && Allowed(KubeConfigReader.Allow.Files, user, "tokenFile"))
        {
            return new TokenFile(Path.Combine(user.Folder, file), time, certificate);
        }

        if (user.Node.Text("token") is { Length: > 0 } token) return new FixedCredential(new Credential("Bearer " + token, certificate));
        if (user.Node.Text("username") is { Length: > 0 } name)
        {
            var pair = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{name}:{user.Node.Text("password")}"));
            return new FixedCredential(new Credential("Basic " + pair, certificate));
        }

        if (user.Node["exec"] is MappingNode exec && Allowed(KubeConfigReader.Allow.Exec, user, "exec")
            && Plugin(user, exec, cluster) is { } plugin) return new ExecCredential(plugin, time);
        return new FixedCredential(new Credential(null, certificate));
    }

    private X509Certificate2? ClientCertificate(KubeEntry user)
    {
        var (certificate, key) = (Material(user, "client-certificate"), Material(user, "client-key"));
        if (certificate is null && key is null) return null;
        try
        {
            if (certificate is not null && key is not null) return Pem.WithKey(certificate, key);
            Add(AccessCodes.Unusable, user, certificate is null ? "client-certificate" : "client-key",
                $"user \"{user.Name}\" has only one of client-certificate and client-key");
        }
        catch (CryptographicException e)
        {
            Add(AccessCodes.Unusable, user, "client-certificate",
                $"the client certificate of user \"{user.Name}\" cannot be read: {e.Message}");
        }

        return null;
    }

    /// <summary>The PEM of <c>NAME-data</c>, which wins, or of the file that <c>NAME</c> names.</summary>
    private string? Material(KubeEntry entry, string name)
    {
        try
        {
            if (entry.Node.Text(name + "-data") is { Length: > 0 } data) return Encoding.UTF8.GetString(Convert.FromBase64String(data));
            if (entry.Node.Text(name) is { Length: > 0 } file && Allowed(KubeConfigReader.Allow.Files, entry, name))
                return File.ReadAllText(Path.Combine(entry.Folder, file));
        }
        catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
        {
            Add(AccessCodes.Unusable, entry, name, $"{name} of \"{entry.Name}\" cannot be read: {e.Message}");
        }

        return null;
    }

    private ExecPlugin? Plugin(KubeEntry user, MappingNode exec, KubeEntry cluster)
    {
        var version = exec.Text("apiVersion") ?? "";
        if (!ExecVersions.Contains(version))
        {
            Add(AccessCodes.Refused, user, "exec.apiVersion",
                $"exec of user \"{user.Name}\" speaks \"{version}\"; known are {string.Join(" and ", ExecVersions)}");
            return null;
        }

        if (exec.Text("interactiveMode") == "Always")
        {
            Add(AccessCodes.Refused, user, "exec.interactiveMode",
                $"exec of user \"{user.Name}\" needs a terminal, which a control plane has not");
            return null;
        }

        return new ExecPlugin
        {
            ApiVersion = version,
            Command = exec.Text("command") ?? "",
            Arguments = [.. ((exec["args"] as SequenceNode)?.Items ?? []).OfType<ScalarNode>().Select(a => a.Value)],
            Environment = [.. ((exec["env"] as SequenceNode)?.Items ?? []).OfType<MappingNode>()
                .Select(e => KeyValuePair.Create(e.Text("name") ?? "", (e["value"] as ScalarNode)?.Value ?? ""))],
            InstallHint = exec.Text("installHint") ?? "",
            Cluster = exec["provideClusterInfo"] is ScalarNode { Value: "true" } ? ToldCluster(cluster) : null,
            Folder = user.Folder,
        };
    }

    private static JsonObject ToldCluster(KubeEntry cluster)
    {
        var told = new JsonObject { ["server"] = cluster.Node.Text("server") };
        foreach (var name in new[] { "tls-server-name", "certificate-authority-data", "proxy-url" })
        {
            if (cluster.Node.Text(name) is { Length: > 0 } value) told[name] = value;
        }

        if (IsTrue(cluster, "insecure-skip-tls-verify")) told["insecure-skip-tls-verify"] = true;
        foreach (var extension in ((cluster.Node["extensions"] as SequenceNode)?.Items ?? []).OfType<MappingNode>())
        {
            if (extension.Text("name") == "client.authentication.k8s.io/exec" && extension["extension"] is { } content)
            {
                told["config"] = JsonNode.Parse(NodeText.ToJson(content, indented: false));
            }
        }

        return told;
    }

    private static IEnumerable<KeyValuePair<string, string>> Impersonation(MappingNode user)
    {
        if (user.Text("as") is not { Length: > 0 } name) yield break;
        yield return KeyValuePair.Create("Impersonate-User", name);
        if (user.Text("as-uid") is { Length: > 0 } uid) yield return KeyValuePair.Create("Impersonate-Uid", uid);
        foreach (var group in ((user["as-groups"] as SequenceNode)?.Items ?? []).OfType<ScalarNode>())
            yield return KeyValuePair.Create("Impersonate-Group", group.Value);
        foreach (var extra in (user["as-user-extra"] as MappingNode)?.Members ?? [])
        {
            foreach (var value in ((extra.Value as SequenceNode)?.Items ?? []).OfType<ScalarNode>())
            {
                yield return KeyValuePair.Create("Impersonate-Extra-" + Uri.EscapeDataString(extra.Name), value.Value);
            }
        }
    }

    private static bool IsTrue(KubeEntry entry, string name) => entry.Node[name] is ScalarNode { Value: "true" };

    private bool Allowed(KubeConfigReader.Allow what, KubeEntry entry, string name)
    {
        if (allow.HasFlag(what)) return true;
        Add(AccessCodes.Refused, entry, name, $"\"{entry.Name}\" has {name}, which is not taken from a kubeconfig that lies in a secret");
        return false;
    }

    private void Add(DiagnosticCode code, KubeEntry entry, string path, string text) =>
        diagnostics.Add(code,
            new SourcePosition(entry.File, (entry.Node[path] ?? entry.Node).Line, (entry.Node[path] ?? entry.Node).Column), path, text);
}
