// Certificates: the authority behind ports. Citadel decides and signs; here are its files, its clock, its wire. Signing is work for a processor and happens
// outside of the control loop, so that a thousand workloads that start at once hold no push up.
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Lateen.Citadel.Authorities;

namespace Lateen.ControlPlane.Certificates;

/// <summary>The control plane's own certificate, made anew whenever the authority signs with something else. Shared by all connections.</summary>
public sealed class ServingCertificates
{
    private readonly Authority authority;
    private readonly IReadOnlyList<string> hosts;
    private readonly TimeProvider time;
    private volatile SslStreamCertificateContext current;

    /// <summary>Makes the first one.</summary>
    public ServingCertificates(Authority authority, IReadOnlyList<string> hosts, TimeProvider time)
    {
        (this.authority, this.hosts, this.time) = (authority, hosts, time);
        current = Make();
        authority.Replaced += _ => current = Make();
    }

    /// <summary>What new connections are shown.</summary>
    public SslStreamCertificateContext Current => current;

    /// <summary>What clients' certificates are judged by.</summary>
    public SigningBundle Bundle => authority.Bundle;

    /// <summary>The names under which workloads know istiod.</summary>
    public static IReadOnlyList<string> HostsOf(string ns) => [.. new[] { $"istio-pilot.{ns}.svc", $"istiod-remote.{ns}.svc", $"istiod.{ns}.svc" }.Distinct()];

    private SslStreamCertificateContext Make()
    {
        var between = new X509Certificate2Collection();
        if (authority.Bundle.ChainPem.Length > 0) between.ImportFromPem(authority.Bundle.ChainPem);
        return SslStreamCertificateContext.Create(authority.Serving(hosts, time.GetUtcNow()), between, offline: true);
    }
}
