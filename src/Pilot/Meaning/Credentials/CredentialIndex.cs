using System.Collections.Frozen;
using Google.Protobuf;
using Kubernetes.Core.V1;
using Lateen.Config.Resources;

namespace Lateen.Pilot.Meaning.Credentials;

/// <summary>Certificate and key of a server or client.</summary>
/// <param name="Chain">Certificates, PEM, the own one first.</param>
/// <param name="Key">Key, PEM.</param>
/// <param name="Staple">OCSP response; empty without.</param>
public sealed record KeyPair(ByteString Chain, ByteString Key, ByteString Staple);

/// <summary>Whom to trust.</summary>
/// <param name="Certificates">Certificates of authorities, PEM.</param>
/// <param name="Revoked">Lists of revoked certificates, PEM; empty without.</param>
public sealed record TrustAnchors(ByteString Certificates, ByteString Revoked);

/// <summary>Key material in Secrets and ConfigMaps. Who may have it is decided elsewhere.</summary>
public sealed class CredentialIndex
{
    private const string CaSuffix = "-cacert";

    private readonly FrozenDictionary<(string Namespace, string Name), Secret> _secrets;
    private readonly FrozenDictionary<(string Namespace, string Name), ConfigMap> _maps;

    /// <summary>Nothing.</summary>
    public static readonly CredentialIndex Empty = new([], []);

    /// <summary>An index over these objects.</summary>
    public CredentialIndex(IEnumerable<Resource<Secret>> secrets, IEnumerable<Resource<ConfigMap>> maps)
    {
        _secrets = secrets.ToFrozenDictionary(static secret => (secret.Namespace, secret.Name), static secret => secret.Spec);
        _maps = maps.ToFrozenDictionary(static map => (map.Namespace, map.Name), static map => map.Spec);
    }

    /// <summary>The pair of a credential; null where there is none, or where half of it is missing.</summary>
    public KeyPair? PairOf(CredentialName name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Source == CredentialSource.ConfigMap || !_secrets.TryGetValue((name.Namespace, name.Name), out var secret)) return null;
        // Secrets without a type of Kubernetes' use shorter names.
        var (chain, key) = (Value(secret, "cert"), Value(secret, "key"));
        if (chain.IsEmpty || key.IsEmpty) (chain, key) = (Value(secret, "tls.crt"), Value(secret, "tls.key"));
        return chain.IsEmpty || key.IsEmpty ? null : new KeyPair(chain, key, Value(secret, "tls.ocsp-staple"));
    }

    /// <summary>The trust anchors of a credential whose name ends in <c>-cacert</c>: of the Secret of that name, else of the one without
    /// the ending.</summary>
    public TrustAnchors? AnchorsOf(CredentialName name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var bare = name.Name.EndsWith(CaSuffix, StringComparison.Ordinal) ? name.Name[..^CaSuffix.Length] : name.Name;
        if (name.Source == CredentialSource.ConfigMap)
            return _maps.TryGetValue((name.Namespace, bare), out var map) ? Anchors(Text(map, "ca.crt"), Text(map, "ca.crl")) : null;
        if (!_secrets.TryGetValue((name.Namespace, name.Name), out var secret) && !_secrets.TryGetValue((name.Namespace, bare), out secret))
            return null;
        var certificates = Value(secret, "cacert");
        return Anchors(certificates.IsEmpty ? Value(secret, "ca.crt") : certificates, Value(secret, "ca.crl"));
    }

    private static TrustAnchors? Anchors(ByteString certificates, ByteString revoked) =>
        certificates.IsEmpty ? null : new TrustAnchors(certificates, revoked);

    private static ByteString Value(Secret secret, string key) =>
        secret.Data.TryGetValue(key, out var bytes) ? bytes : secret.StringData.TryGetValue(key, out var text)
            ? ByteString.CopyFromUtf8(text) : ByteString.Empty;

    private static ByteString Text(ConfigMap map, string key) =>
        map.Data.TryGetValue(key, out var text) ? ByteString.CopyFromUtf8(text) : map.BinaryData.GetValueOrDefault(key, ByteString.Empty);
}
