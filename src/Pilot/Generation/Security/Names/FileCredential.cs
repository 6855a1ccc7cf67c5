namespace Lateen.Pilot.Generation.Security.Names;

/// <summary>A secret in files beside the proxy, and the name under which its agent serves it: <c>file-cert:certificate~key</c> or
/// <c>file-root:anchors</c>.</summary>
/// <param name="Certificate">File of the certificate chain; empty for trust anchors.</param>
/// <param name="Key">File of the key; empty for trust anchors.</param>
/// <param name="Root">File of the trust anchors; empty for a certificate.</param>
internal sealed record FileCredential(string Certificate, string Key, string Root)
{
    private const string CertificateScheme = "file-cert:";
    private const string RootScheme = "file-root:";
    private const char Separator = '~';

    /// <summary>Trust anchors.</summary>
    public bool IsRoot => Root.Length > 0;

    /// <summary>The name.</summary>
    public string ResourceName => IsRoot ? RootScheme + Root : $"{CertificateScheme}{Certificate}{Separator}{Key}";

    /// <summary>Reads a name; null when it is none of a file.</summary>
    public static FileCredential? Parse(string name)
    {
        if (name.StartsWith(CertificateScheme, StringComparison.Ordinal))
            return name[CertificateScheme.Length..].Split(Separator) is [var certificate, var key] ? new(certificate, key, "") : null;
        return name.StartsWith(RootScheme, StringComparison.Ordinal) && name[RootScheme.Length..].Split(Separator) is [{ Length: > 0 } root]
            ? new("", "", root) : null;
    }
}
