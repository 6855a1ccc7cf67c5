using System.Security.Cryptography.X509Certificates;
using System.Text;
using Lateen.Citadel.Authorities;
using Lateen.Citadel.Service;

namespace Lateen.ControlPlane.Metrics;

/// <summary>The metrics of the authority, under istiod's names.</summary>
public sealed class CitadelMetrics(Authority authority, CertificateCounts counts, TimeProvider time)
{
    private readonly GaugeFamily _rootExpiry =
        new("citadel_server_root_cert_expiry_timestamp", "When the root certificate ends, in seconds since 1970.");
    private readonly GaugeFamily _rootLeft = new("citadel_server_root_cert_expiry_seconds", "Seconds until the root certificate ends.");
    private readonly GaugeFamily _chainExpiry =
        new("citadel_server_cert_chain_expiry_timestamp", "When the signing certificate ends, in seconds since 1970.");
    private readonly GaugeFamily _chainLeft =
        new("citadel_server_cert_chain_expiry_seconds", "Seconds until the signing certificate ends.");

    /// <summary>Everything in Prometheus' text form.</summary>
    public string Text()
    {
        CounterFamily asked = new("citadel_server_csr_count", "Certificate signing requests received.");
        CounterFamily failed = new("citadel_server_authentication_failure_count", "Requests whose sender proved nothing.");
        CounterFamily unsigned = new("citadel_server_csr_sign_err_count", "Requests that were not signed, by fault.", "error");
        CounterFamily issued = new("citadel_server_success_cert_issuance_count", "Certificates issued.");
        asked.Add(counts.RequestCount);
        failed.Add(counts.AuthenticationFailures);
        issued.Add(counts.IssuedCount);
        foreach ((string error, long count) in counts.SigningFailures.Where(static f => f.Count > 0)) unsigned.Add(count, error);
        SigningBundle bundle = authority.Bundle;
        Set(_rootExpiry, _rootLeft, bundle.Roots[0]);
        Set(_chainExpiry, _chainLeft, bundle.Signer);
        var text = new StringBuilder();
        foreach (MetricFamily family in (MetricFamily[])[failed, _chainLeft, _chainExpiry, asked, unsigned, _rootLeft, _rootExpiry, issued])
            family.WriteTo(text);
        return text.ToString();
    }

    private void Set(GaugeFamily at, GaugeFamily left, X509Certificate2 certificate)
    {
        DateTimeOffset end = certificate.NotAfter.ToUniversalTime();
        at.Set(end.ToUnixTimeSeconds());
        left.Set((end - time.GetUtcNow()).TotalSeconds);
    }
}
