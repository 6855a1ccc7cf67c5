using Lateen.Citadel.Authorities;

namespace Lateen.Citadel.Service;

/// <summary>Counts of an authority, as istiod's metrics have them (citadel_server_*).</summary>
public sealed class CertificateCounts
{
    private long asked, unauthenticated, issued, requestFaults, lifeFaults, otherFaults;

    /// <summary>Requests.</summary>
    public long RequestCount => Interlocked.Read(ref asked);

    /// <summary>Requests whose sender proved nothing.</summary>
    public long AuthenticationFailures => Interlocked.Read(ref unauthenticated);

    /// <summary>Certificates signed.</summary>
    public long IssuedCount => Interlocked.Read(ref issued);

    /// <summary>Requests that were not signed, by Istio's word for the fault.</summary>
    public IReadOnlyList<(string Error, long Count)> SigningFailures =>
        [("CSR_ERROR", Interlocked.Read(ref requestFaults)), ("TTL_ERROR", Interlocked.Read(ref lifeFaults)), ("CA_ILL_STATE", Interlocked.Read(ref otherFaults))];

    internal void Asked() => Interlocked.Increment(ref asked);

    internal void Unauthenticated() => Interlocked.Increment(ref unauthenticated);

    internal void Issued() => Interlocked.Increment(ref issued);

    internal void Failed(SigningFault fault)
    {
        if (fault == SigningFault.Request) Interlocked.Increment(ref requestFaults);
        else if (fault == SigningFault.Life) Interlocked.Increment(ref lifeFaults);
        else Interlocked.Increment(ref otherFaults);
    }
}
