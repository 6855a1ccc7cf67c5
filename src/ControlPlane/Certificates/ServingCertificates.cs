// Certificates: the authority behind ports. Citadel decides and signs; here are its files, its clock, its wire. Signing is work for a
// processor and happens outside of the control loop, so that a thousand workloads that start at once hold no push up.
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Lateen.Citadel.Authorities;

namespace Lateen.ControlPlane.Certificates;

/// <summary>The control plane's own certificate, made anew whenever the authority signs with something else. Shared by all
/// connections.</summary>
public sealed class ServingCertificates
{
    private readonly Authority _authority;
    private readonly IReadOnlyList<string> _hosts;
    private readonly TimeProvider _time;
    private volatile SslStreamCertificateContext _current;

    /// <summary>Makes the first one.</summary>
    public ServingCertificates(Authority authority, IReadOnlyList<string> hosts, TimeProvider time)
    {
        (_authority, _hosts, _time) = (authority, hosts, time);
        _current = Make();
        authority.Replaced += _ => _current = Make();
    }

    /// <summary>What new connections are shown.</summary>
    public SslStreamCertificateContext Current => _current;

    /// <summary>What clients' certificates are judged by.</summary>
    public SigningBundle Bundle => _authority.Bundle;

    /// <summary>The names under which workloads know istiod.</summary>
    /// <param name="ns">Its namespace.</param>
    /// <param name="revision">Its revision.</param>
    public static IReadOnlyList<string> HostsOf(string ns, string revision = "") =>
        [.. new[] { "istio-pilot", "istiod-remote", "istiod", Revisions.Named("istiod", revision) }.Select(name => $"{name}.{ns}.svc")
            .Distinct()];

    private SslStreamCertificateContext Make() => Make(_authority, _hosts, _time.GetUtcNow());

    /// <summary>A new key and certificate of the authority, with what stands between it and the root.</summary>
    internal static SslStreamCertificateContext Make(Authority authority, IReadOnlyList<string> names, DateTimeOffset now)
    {
        var between = new X509Certificate2Collection();
        if (authority.Bundle.ChainPem.Length > 0) between.ImportFromPem(authority.Bundle.ChainPem);
        return SslStreamCertificateContext.Create(authority.Serving(names, now), between, offline: true);
    }
}
