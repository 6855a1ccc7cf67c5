using System.Text;
using Lateen.Agent.Secrets;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Tls;

namespace Lateen.Agent.Discovery;

/// <summary>TLS towards the control plane: trusted by the roots of the mesh, under its own name, with our certificate where one is to be
/// shown.</summary>
/// <param name="serverName">The name that its certificate must carry.</param>
/// <param name="roots">PEM of whom to trust; empty for nobody yet.</param>
/// <param name="shown">The certificate that is shown; null for none.</param>
public sealed class DoorSecurity(string serverName, Func<string> roots, Func<WorkloadSecret?> shown)
{
    private (string Roots, WorkloadSecret? Shown, TlsContext? Context) _made = ("", null, null);

    /// <summary>The context as it is now; null while nobody is trusted, or what is there can't be used.</summary>
    public TlsContext? Current
    {
        get
        {
            (string now, WorkloadSecret? own) = (roots(), shown());
            if (now.Length == 0) return null;
            if (_made.Context is null || _made.Roots != now || !ReferenceEquals(_made.Shown, own)) _made = (now, own, Make(now, own));
            return _made.Context;
        }
    }

    /// <summary>The name under which the control plane is known where it is reached by an address or a path.</summary>
    public static string ServerNameOf(DoorTarget target, string configured) =>
        configured.Length > 0 ? configured : target.Address is null ? target.Host : "istiod.istio-system.svc";

    private TlsContext? Make(string trusted, WorkloadSecret? own) => TlsContext.Create(
        new TlsOptions
        {
            IsServer = false,
            Certificates = own is null
                ? [] : [new TlsCertificate(Encoding.ASCII.GetBytes(own.ChainPem), Encoding.ASCII.GetBytes(own.KeyPem))],
            Validation = new TlsValidation
            {
                TrustedCa = Encoding.ASCII.GetBytes(trusted),
                Sans = [new SanMatch(SanKind.Dns, StringMatch.Of(StringMatchKind.Exact, serverName))],
            },
            Alpn = ["h2"],
            VersionMax = TlsVersion.Tls13,
            Sni = serverName,
            Resumption = false,
        }, out _);
}
