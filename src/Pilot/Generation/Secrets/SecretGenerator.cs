// Secrets: the only place that puts key material on the wire. Gateways ask for the credentials that their servers name; they get those that
// the configuration lets them have and nothing else, whatever they ask for.
//
// State: none. Nothing is cached here: what a proxy may have depends on who it proved to be, and a cache that forgets that gives keys away.
//
// Never: a secret for a proxy that proved nothing. On a stream without a verified identity every name has no answer.
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Envoy.Config.Core.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Google.Protobuf;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Generation.Secrets;

/// <summary>SDS: credentials of gateways.</summary>
public sealed class SecretGenerator : IResourceGenerator
{
    private const string CaSuffix = "-cacert";

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.Secret;

    /// <inheritdoc/>
    public void BeginSnapshot()
    {
    }

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (names is null || scope.Node.VerifiedIdentity is not { } identity) return [];
        return names.Order(StringComparer.Ordinal)
            .Where(name => CredentialName.Parse(name, identity.Namespace) is { } credential
                && MayHave(scope, identity.Namespace, credential))
            .Select(name => Make(scope.Snapshot, CredentialName.Parse(name, identity.Namespace)!)).OfType<Secret>()
            .Select(static secret => WireResource.Of(secret.Name, secret)).ToList();
    }

    // Of its own namespace a proxy may have what a Secret's plain name stands for. What Gateways name in full must be theirs, or granted to
    // them.
    private static bool MayHave(ProxyScope scope, string ownNamespace, CredentialName credential) => credential.Source switch
    {
        CredentialSource.Kubernetes => credential.Namespace == ownNamespace,
        // A ConfigMap gives trust anchors alone, which are no secret; policies of backends name them for every client.
        CredentialSource.ConfigMap => true,
        _ => scope.Gateway?.Credentials.Contains(credential.Resource) == true,
    };

    private static Secret? Make(MeshSnapshot snapshot, CredentialName credential)
    {
        if (credential.Name.EndsWith(CaSuffix, StringComparison.Ordinal) || credential.Source == CredentialSource.ConfigMap)
        {
            if (snapshot.Credentials.AnchorsOf(credential) is not { } anchors || !IsReadable(anchors.Certificates)) return null;
            var context = new CertificateValidationContext { TrustedCa = Inline(anchors.Certificates) };
            if (!anchors.Revoked.IsEmpty) context.Crl = Inline(anchors.Revoked);
            return new Secret { Name = credential.Resource, ValidationContext = context };
        }
        if (snapshot.Credentials.PairOf(credential) is not { } pair || !IsReadable(pair.Chain)) return null;
        var certificate = new TlsCertificate { CertificateChain = Inline(pair.Chain), PrivateKey = Inline(pair.Key) };
        if (!pair.Staple.IsEmpty) certificate.OcspStaple = Inline(pair.Staple);
        return new Secret { Name = credential.Resource, TlsCertificate = certificate };
    }

    // One certificate that can't be read would be refused together with all that is good in the response.
    private static bool IsReadable(ByteString pem)
    {
        try
        {
            var all = new X509Certificate2Collection();
            all.ImportFromPem(pem.ToStringUtf8());
            foreach (var one in all) one.Dispose();
            return all.Count > 0;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static DataSource Inline(ByteString bytes) => new() { InlineBytes = bytes };
}
