namespace Lateen.Citadel.Callers;

/// <summary>Callers whose certificate a gateway in front has seen, and tells of by header.</summary>
internal static class ForwardedCallers
{
    /// <summary>Who the caller is. Null with the problem said where nothing proves it.</summary>
    /// <param name="peer">Address and port of the one who sent the header.</param>
    /// <param name="header">Its X-Forwarded-Client-Cert.</param>
    /// <param name="networks">Networks of trusted gateways.</param>
    /// <param name="problem">What is missing.</param>
    public static Caller? Authenticate(string peer, string header, IReadOnlyList<string> networks, out string? problem)
    {
        problem = null;
        if (!TrustedPeers.Contains(peer, networks))
            problem = $"caller from {peer} is not in the trusted network. XfccAuthenticator can not be used";
        else if (header.Length == 0) problem = $"caller from {peer} does not have Xfcc header";
        if (problem is not null) return null;
        var hops = ForwardedCertificates.Parse(header);
        if (hops is null) problem = $"error in parsing xfcc header: {header}";
        else if (hops.Count == 0) problem = "xfcc header does not have at least one client certs";
        return problem is null ? new Caller(CallerProof.ClientCertificate, hops!.SelectMany(NamesOf).ToList()) : null;
    }

    private static IEnumerable<string> NamesOf(ForwardedCertificate hop)
    {
        var names = hop.Uris.Concat(hop.DnsNames);
        return hop.CommonName is { } common ? names.Append(common) : names;
    }
}
