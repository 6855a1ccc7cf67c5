using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lateen.Citadel.Authorities;
using Xunit;

namespace Lateen.Test.Unit.Citadel;

public sealed class AuthorityTests
{
    private const string Identity = "spiffe://cluster.local/ns/shop/sa/productpage";
    private static readonly DateTimeOffset Now = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly AuthorityOptions Options = new();
    private static readonly Authority Authority = new(RootRotation.First("cluster.local", Options, Now), Options);

    [Fact]
    public void A_leaf_has_the_verified_identity_and_no_other_name()
    {
        IReadOnlyList<string> chain = Sign(Request("spiffe://cluster.local/ns/kube-system/sa/admin", "DNS:www.example.com"))!;
        Assert.Equal(2, chain.Count);
        using X509Certificate2 leaf = X509Certificate2.CreateFromPem(chain[0]);
        Assert.Equal([Identity], SubjectNames.UrisOf(leaf));
        Assert.Equal("", leaf.Subject);
        Assert.Equal("O=cluster.local", leaf.Issuer);
        Assert.Equal(["2.5.29.15", "2.5.29.17", "2.5.29.19"], leaf.Extensions.Where(e => e.Critical).Select(e => e.Oid!.Value!).Order());
        Assert.Equal(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment,
            leaf.Extensions.OfType<X509KeyUsageExtension>().Single().KeyUsages);
        Assert.Equal(TimeSpan.FromSeconds(86_520), leaf.NotAfter - leaf.NotBefore);
        Assert.Equal(Now - TimeSpan.FromMinutes(2), leaf.NotBefore.ToUniversalTime());
        Assert.Null(Trust.Problem(leaf, [], Authority.Bundle.Roots, KeyPurposes.Client, Now.UtcDateTime));
    }

    [Theory]
    [InlineData("hello", "certificate signing request is not properly encoded")]
    [InlineData("", "certificate signing request is not properly encoded")]
    [InlineData("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "failed to parse X.509 certificate signing request")]
    public void Garbage_is_refused(string request, string why)
    {
        Assert.Null(Authority.Sign(request, [Identity], TimeSpan.Zero, Now, out SigningProblem? problem));
        Assert.Equal(new SigningProblem(SigningFault.Request, why), problem);
    }

    [Fact]
    public void A_huge_request_is_not_even_read()
    {
        Assert.Null(Authority.Sign(Request() + new string('A', 1 << 20), [Identity], TimeSpan.Zero, Now, out SigningProblem? problem));
        Assert.Equal("certificate signing request is too large", problem!.Text);
    }

    [Fact]
    public void Who_does_not_have_the_key_gets_no_certificate_for_it()
    {
        string good = Request();
        byte[] bytes = Convert.FromBase64String(good[PemEncoding.Find(good).Base64Data]);
        bytes[^1] ^= 1;
        Assert.Null(Authority.Sign(PemEncoding.WriteString("CERTIFICATE REQUEST", bytes), [Identity], TimeSpan.Zero, Now,
            out SigningProblem? problem));
        Assert.Equal(SigningFault.Request, problem!.Fault);
    }

    [Fact]
    public void More_than_ninety_days_are_refused_in_istios_words()
    {
        Assert.Null(Authority.Sign(Request(), [Identity], TimeSpan.FromHours(4800), Now, out SigningProblem? problem));
        Assert.Equal("requested TTL 4800h0m0s is greater than the max allowed TTL 2160h0m0s", problem!.Text);
    }

    [Fact]
    public void A_rotated_root_keeps_its_key_and_both_are_trusted()
    {
        DateTimeOffset late = Now + (Options.RootLife * 0.85);
        Assert.False(RootRotation.IsDue(Authority.Bundle, Options, Now + (Options.RootLife * 0.79)));
        Assert.True(RootRotation.IsDue(Authority.Bundle, Options, late));
        SigningBundle next = RootRotation.Next(Authority.Bundle, Options, late);
        Assert.Equal(2, next.Roots.Count);
        Assert.NotEqual(Authority.Bundle.Signer.SerialNumber, next.Signer.SerialNumber);
        using X509Certificate2 old =
            X509Certificate2.CreateFromPem(Authority.Sign(Request(), [Identity], TimeSpan.Zero, late - TimeSpan.FromHours(1), out _)![0]);
        Assert.Null(Trust.Problem(old, [], [next.Roots[0]], KeyPurposes.Server, late.UtcDateTime));
        Assert.Null(KeyReload.Problem(Authority.Bundle, next, late));
    }

    [Fact]
    public void A_foreign_root_is_not_taken_up_before_it_is_trusted()
    {
        SigningBundle foreign = RootRotation.First("cluster.local", Options, Now);
        Assert.NotNull(KeyReload.Problem(Authority.Bundle, foreign, Now));
        SigningBundle both = SigningBundle.Create(foreign.Signer.ExportCertificatePem(), foreign.KeyPem, "",
            foreign.RootsPem + Authority.Bundle.RootsPem, out _)!;
        Assert.Null(KeyReload.Problem(Authority.Bundle, both, Now));
    }

    [Fact]
    public void An_intermediate_comes_with_what_leads_to_the_root()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("O=intermediate", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using RSA rootKey = RSA.Create();
        rootKey.ImportFromPem(Authority.Bundle.KeyPem);
        using X509Certificate2 between = request.Create(Authority.Bundle.Signer.SubjectName,
            X509SignatureGenerator.CreateForRSA(rootKey, RSASignaturePadding.Pkcs1), Now, Now.AddYears(1), [1, 2, 3]);
        SigningBundle bundle = SigningBundle.Create(between.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem(),
            between.ExportCertificatePem(), Authority.Bundle.RootsPem, out string? problem)!;
        Assert.Null(problem);
        IReadOnlyList<string> chain = new Authority(bundle, Options).Sign(Request(), [Identity], TimeSpan.Zero, Now, out _)!;
        Assert.Equal(3, chain.Count);
        using X509Certificate2 leaf = X509Certificate2.CreateFromPem(chain[0]);
        Assert.Null(Trust.Problem(leaf, [X509Certificate2.CreateFromPem(chain[1])], bundle.Roots, KeyPurposes.Client, Now.UtcDateTime));
    }

    [Fact]
    public void Keys_that_do_not_fit_are_refused()
    {
        SigningBundle other = RootRotation.First("other", Options, Now);
        Assert.Null(SigningBundle.Create(Authority.Bundle.Signer.ExportCertificatePem(), other.KeyPem, "", Authority.Bundle.RootsPem,
            out string? problem));
        Assert.Equal("the private key is not that of the signing certificate", problem);
        Assert.Null(SigningBundle.Create(Authority.Bundle.Signer.ExportCertificatePem(), Authority.Bundle.KeyPem, "", other.RootsPem,
            out problem));
        Assert.StartsWith("the signing certificate does not lead to a root", problem, StringComparison.Ordinal);
    }

    internal static string Request(params string[] names)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(new X500DistinguishedName([0x30, 0x00]), key, HashAlgorithmName.SHA256);
        if (names.Length > 0) request.CertificateExtensions.Add(SubjectNames.Of(names));
        return request.CreateSigningRequestPem();
    }

    private static IReadOnlyList<string>? Sign(string request) => Authority.Sign(request, [Identity], TimeSpan.Zero, Now, out _);
}
