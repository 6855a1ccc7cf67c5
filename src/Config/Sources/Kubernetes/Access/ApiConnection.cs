using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Lateen.Config.Sources.Kubernetes.Access;

/// <summary>Makes what carries requests to an API server: connections, TLS, proxy and the user's credential.</summary>
public static class ApiConnection
{
    /// <summary>The way to the server. Certificates of clients are asked for at each new connection; tokens go with each request.</summary>
    public static HttpMessageHandler Open(ClusterAccess access)
    {
        var sockets = new SocketsHttpHandler
        {
            // A watch is silent for minutes; a server that vanished without a word is found out by pings.
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(15),
            ConnectTimeout = TimeSpan.FromSeconds(15),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(90),
            AutomaticDecompression = access.DisableCompression ? DecompressionMethods.None : DecompressionMethods.GZip,
            UseCookies = false,
            AllowAutoRedirect = false,
        };
        if (access.Proxy is { } proxy) sockets.Proxy = new WebProxy(proxy);
        if (access.TlsServerName.Length > 0) sockets.SslOptions.TargetHost = access.TlsServerName;
        if (access.IsInsecure) sockets.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => access.IsInsecure;
        else if (access.Authorities is { } authorities) sockets.SslOptions.CertificateChainPolicy = OnlyThese(authorities);
        return new CredentialHandler(access, sockets);
    }

    private static X509ChainPolicy OnlyThese(X509Certificate2Collection authorities)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(authorities);
        return policy;
    }

    /// <summary>Adds the credential, and asks once more with a new one when the server says 401.</summary>
    private sealed class CredentialHandler : DelegatingHandler
    {
        private readonly ClusterAccess _access;
        private X509Certificate2? _certificate;

        public CredentialHandler(ClusterAccess access, SocketsHttpHandler sockets)
            : base(sockets)
        {
            _access = access;
            sockets.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => _certificate!;
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await SignAsync(request, refused: false, cancellationToken).ConfigureAwait(false);
            var answer = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
            if (answer.StatusCode != HttpStatusCode.Unauthorized || request.Content is not null) return answer;
            answer.Dispose();
            await SignAsync(request, refused: true, cancellationToken).ConfigureAwait(false);
            return await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }

        private async ValueTask SignAsync(HttpRequestMessage request, bool refused, CancellationToken cancel)
        {
            var credential = await _access.Credentials.CurrentAsync(refused, cancel).ConfigureAwait(false);
            _certificate = credential.Certificate;
            request.Headers.Remove("Authorization");
            if (credential.Authorization is { } authorization) request.Headers.TryAddWithoutValidation("Authorization", authorization);
            foreach (var (name, value) in refused ? [] : _access.Impersonation) request.Headers.TryAddWithoutValidation(name, value);
        }
    }
}
