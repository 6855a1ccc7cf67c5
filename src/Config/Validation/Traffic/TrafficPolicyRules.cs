using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Traffic;

/// <summary>The traffic policy of a DestinationRule and its parts.</summary>
internal static class TrafficPolicyRules
{
    public static void Check(Findings f, string path, TrafficPolicy policy)
    {
        var isEmpty = policy.LoadBalancer is null && policy.ConnectionPool is null && policy.OutlierDetection is null && policy.Tls is null
            && policy.PortLevelSettings.Count == 0 && policy.Tunnel is null && policy.ProxyProtocol is null && policy.RetryBudget is null;
        f.ErrorIf(isEmpty, Codes.Empty, path, "traffic policy must have at least one field");
        f.ErrorIf(policy.Tunnel is not null && policy.ProxyProtocol is not null, Codes.Exclusive, path,
            "tunnel and proxyProtocol must not be set together");
        Parts(f, path, policy.LoadBalancer, policy.ConnectionPool, policy.OutlierDetection, policy.Tls);
        f.ErrorIf(policy.PortLevelSettings.Count > 4096, Codes.OutOfRange, path + ".portLevelSettings", "more than 4096 entries");
        for (var i = 0; i < policy.PortLevelSettings.Count; i++)
        {
            var (port, at) = (policy.PortLevelSettings[i], $"{path}.portLevelSettings[{i}]");
            var portIsEmpty = port.LoadBalancer is null && port.ConnectionPool is null && port.OutlierDetection is null && port.Tls is null;
            f.ErrorIf(portIsEmpty, Codes.Empty, at, "port traffic policy must have at least one field");
            if (port.Port is null) f.Error(Codes.Required, at, "portTrafficPolicy must have valid port");
            else Rules.Port(f, at + ".port.number", port.Port.Number);
            Parts(f, at, port.LoadBalancer, port.ConnectionPool, port.OutlierDetection, port.Tls);
        }

        Tunnel(f, path + ".tunnel", policy.Tunnel);
        RetryBudget(f, path + ".retryBudget", policy.RetryBudget);
    }

    private static void Parts(Findings f, string path, LoadBalancerSettings? balancer, ConnectionPoolSettings? pool,
        OutlierDetection? outlier, ClientTLSSettings? tls)
    {
        Outlier(f, path + ".outlierDetection", outlier);
        ConnectionPool(f, path + ".connectionPool", pool);
        LoadBalancerRules.Check(f, path + ".loadBalancer", balancer, outlier);
        ClientTls(f, path + ".tls", tls);
    }

    public static void Outlier(Findings f, string path, OutlierDetection? outlier)
    {
        if (outlier is null) return;
        Rules.Duration(f, path + ".interval", outlier.Interval);
        Rules.Duration(f, path + ".baseEjectionTime", outlier.BaseEjectionTime);
        Rules.IntegerPercent(f, path + ".maxEjectionPercent", outlier.MaxEjectionPercent);
        Rules.IntegerPercent(f, path + ".minHealthPercent", outlier.MinHealthPercent);
        f.WarnIf(outlier.ConsecutiveErrors != 0, Codes.Deprecated, path + ".consecutiveErrors",
            "outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead");
        f.ErrorIf(outlier.ConsecutiveErrors < 0, Codes.OutOfRange, path + ".consecutiveErrors", "must not be negative");
        f.ErrorIf(outlier.ConsecutiveLocalOriginFailures > 0 && !outlier.SplitExternalLocalOriginErrors, Codes.Exclusive,
            path + ".consecutiveLocalOriginFailures",
            "outlier detection consecutive local origin failures is specified, but split external local origin errors is set to false");
        foreach (var code in outlier.OutlierDetectionHttpErrorCodes)
        {
            f.ErrorIf(code is < 100 or > 599, Codes.OutOfRange, path + ".outlierDetectionHttpErrorCodes",
                $"{code} is no HTTP status from 100 to 599");
        }
    }

    public static void ConnectionPool(Findings f, string path, ConnectionPoolSettings? pool)
    {
        if (pool is null) return;
        f.ErrorIf(pool.Http is null && pool.Tcp is null, Codes.Empty, path, "connection pool must have at least one field");
        if (pool.Http is { } http)
        {
            Rules.NotNegative(f, path + ".http.http1MaxPendingRequests", http.Http1MaxPendingRequests);
            Rules.NotNegative(f, path + ".http.http2MaxRequests", http.Http2MaxRequests);
            Rules.NotNegative(f, path + ".http.maxRequestsPerConnection", http.MaxRequestsPerConnection);
            Rules.NotNegative(f, path + ".http.maxRetries", http.MaxRetries);
            Rules.NotNegative(f, path + ".http.maxConcurrentStreams", http.MaxConcurrentStreams);
            Rules.Duration(f, path + ".http.idleTimeout", http.IdleTimeout, zeroAllowed: true);
            f.ErrorIf(http.UseClientProtocol
                && http.H2UpgradePolicy == ConnectionPoolSettings.Types.HTTPSettings.Types.H2UpgradePolicy.Upgrade,
                Codes.Exclusive, path + ".http", "use client protocol must not be true when H2UpgradePolicy is UPGRADE");
            if (http.Http2KeepAlive is { } keepAlive)
            {
                f.ErrorIf(keepAlive.Interval is null || keepAlive.Timeout is null, Codes.Required, path + ".http.http2KeepAlive",
                    "both interval and timeout are required");
                Rules.Duration(f, path + ".http.http2KeepAlive.interval", keepAlive.Interval);
                Rules.Duration(f, path + ".http.http2KeepAlive.timeout", keepAlive.Timeout);
            }
        }

        if (pool.Tcp is { } tcp)
        {
            Rules.NotNegative(f, path + ".tcp.maxConnections", tcp.MaxConnections);
            Rules.Duration(f, path + ".tcp.connectTimeout", tcp.ConnectTimeout);
            Rules.Duration(f, path + ".tcp.maxConnectionDuration", tcp.MaxConnectionDuration);
            Rules.Duration(f, path + ".tcp.idleTimeout", tcp.IdleTimeout, zeroAllowed: true);
            Rules.Duration(f, path + ".tcp.tcpKeepalive.time", tcp.TcpKeepalive?.Time);
            Rules.Duration(f, path + ".tcp.tcpKeepalive.interval", tcp.TcpKeepalive?.Interval);
        }
    }

    public static void ClientTls(Findings f, string path, ClientTLSSettings? tls)
    {
        if (tls is null) return;
        var files = tls.ClientCertificate.Length > 0 || tls.PrivateKey.Length > 0 || tls.CaCertificates.Length > 0 || tls.CaCrl.Length > 0;
        switch (tls.Mode)
        {
            case ClientTLSSettings.Types.TLSmode.IstioMutual:
                f.ErrorIf(files || tls.CredentialName.Length > 0, Codes.ClientTls, path,
                    "ISTIO_MUTUAL uses the workload's own certificates: certificate fields must be empty");
                return;
            case ClientTLSSettings.Types.TLSmode.Simple or ClientTLSSettings.Types.TLSmode.Mutual:
                SkipVerify(f, path, tls);
                break;
            default:
                return;
        }

        if (tls.CredentialName.Length > 0)
            f.ErrorIf(files, Codes.ClientTls, path,
                "cannot specify client certificates, CA certificates or CA CRL if credentialName is set");
        else if (tls.Mode == ClientTLSSettings.Types.TLSmode.Mutual)
        {
            f.ErrorIf(tls.ClientCertificate.Length == 0, Codes.ClientTls, path + ".clientCertificate",
                "client certificate required for mutual tls");
            f.ErrorIf(tls.PrivateKey.Length == 0, Codes.ClientTls, path + ".privateKey", "private key required for mutual tls");
        }
    }

    private static void SkipVerify(Findings f, string path, ClientTLSSettings tls)
    {
        if (tls.InsecureSkipVerify != true) return;
        var hasAuthority = tls.CaCertificates.Length > 0
            || (tls.Mode == ClientTLSSettings.Types.TLSmode.Simple && tls.CredentialName.Length > 0);
        f.ErrorIf(hasAuthority, Codes.ClientTls, path, "cannot specify a certificate authority when insecureSkipVerify is set true");
        f.ErrorIf(tls.SubjectAltNames.Count > 0, Codes.ClientTls, path + ".subjectAltNames",
            "cannot specify subjectAltNames when insecureSkipVerify is set true");
    }

    private static void Tunnel(Findings f, string path, TrafficPolicy.Types.TunnelSettings? tunnel)
    {
        if (tunnel is null) return;
        f.ErrorIf(tunnel.Protocol is not ("" or "CONNECT" or "POST"), Codes.Tunnel, path + ".protocol",
            $"tunnel protocol must be CONNECT or POST, not \"{tunnel.Protocol}\"");
        f.ErrorIf(tunnel.TargetHost.Length == 0
            || (NameRules.Domain(tunnel.TargetHost) is not null && !NameRules.IsAddress(tunnel.TargetHost)), Codes.Tunnel, path
                + ".targetHost",
            $"tunnel target host is not valid: \"{tunnel.TargetHost}\"");
        Rules.Port(f, path + ".targetPort", tunnel.TargetPort);
    }

    private static void RetryBudget(Findings f, string path, TrafficPolicy.Types.RetryBudget? budget)
    {
        Rules.Percent(f, path + ".percent", budget?.Percent ?? 0);
        f.ErrorIf(budget?.BudgetInterval is { } interval && (interval.Seconds < 0 || interval.Nanos < 0), Codes.BadDuration,
            path + ".budgetInterval", "must not be negative");
    }
}
