using Lateen.Citadel.Authorities;

namespace Lateen.Citadel.Service;

/// <summary>Counts of an authority, as istiod's metrics have them (citadel_server_*).</summary>
public sealed class CertificateCounts
{
    private long _asked, _unauthenticated, _issued, _requestFaults, _lifeFaults, _otherFaults;

    /// <summary>Requests.</summary>
    public long RequestCount => Interlocked.Read(ref _asked);

    /// <summary>Requests whose sender proved nothing.</summary>
    public long AuthenticationFailures => Interlocked.Read(ref _unauthenticated);

    /// <summary>Certificates signed.</summary>
    public long IssuedCount => Interlocked.Read(ref _issued);

    /// <summary>Requests that were not signed, by Istio's word for the fault.</summary>
    public IReadOnlyList<(string Error, long Count)> SigningFailures =>
        [("CSR_ERROR", Interlocked.Read(ref _requestFaults)), ("TTL_ERROR", Interlocked.Read(ref _lifeFaults)),
            ("CA_ILL_STATE", Interlocked.Read(ref _otherFaults))];

    internal void Asked() => Interlocked.Increment(ref _asked);

    internal void Unauthenticated() => Interlocked.Increment(ref _unauthenticated);

    internal void Issued() => Interlocked.Increment(ref _issued);

    internal void Failed(SigningFault fault)
    {
        if (fault == SigningFault.Request) Interlocked.Increment(ref _requestFaults);
        else if (fault == SigningFault.Life) Interlocked.Increment(ref _lifeFaults);
        else Interlocked.Increment(ref _otherFaults);
    }
}
