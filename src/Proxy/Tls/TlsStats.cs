using Lateen.Proxy.Formats;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Tls;

/// <summary>What is counted of handshakes: <c>listener.NAME.ssl.</c>, <c>cluster.NAME.ssl.</c>.</summary>
public sealed class TlsStats
{
    private enum Stat : byte
    {
        ConnectionError,
        FailVerifyCertHash,
        FailVerifyError,
        FailVerifyNoCert,
        FailVerifySan,
        Handshake,
        NoCertificate,
        OcspStapleFailed,
        OcspStapleOmitted,
        OcspStapleRequests,
        OcspStapleResponses,
        SessionReused,
        WasKeyUsageInvalid,
    }

    /// <summary>Names and kinds.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<Stat>();

    private readonly StatGroup _group;
    private readonly StatStore? _store;
    private readonly Func<string> _prefix;
    private readonly Dictionary<string, Counter>[] _byName;

    /// <summary>Counters of a group.</summary>
    /// <param name="group">Of <see cref="Schema"/>.</param>
    /// <param name="store">Where ciphers and versions get counters of their own; null for nowhere.</param>
    /// <param name="prefix">In front of those, with "ssl.".</param>
    /// <param name="workers">How many.</param>
    public TlsStats(StatGroup group, StatStore? store, Func<string> prefix, int workers)
    {
        (_group, _store, _prefix) = (group, store, prefix);
        _byName = [.. Enumerable.Range(0, workers).Select(_ => new Dictionary<string, Counter>(StringComparer.Ordinal))];
    }

    /// <summary>A handshake succeeded, on a worker.</summary>
    public void Succeeded(Worker worker, TlsFacts? facts)
    {
        StatCells cells = _group.Of(worker.Index);
        cells.Count((int)Stat.Handshake);
        if (facts is null)
            return;
        if (!facts.PeerPresented)
            cells.Count((int)Stat.NoCertificate);
        Named(worker, "ciphers.", facts.Cipher);
        Named(worker, "versions.", facts.Version);
    }

    private void Named(Worker worker, string part, string name)
    {
        if (_store is null || name.Length == 0)
            return;
        if (!_byName[worker.Index].TryGetValue(name, out Counter? counter))
            _byName[worker.Index][name] = counter = _store.DynamicCounter(_prefix() + part + name);
        counter.Count(worker);
    }

    /// <summary>A handshake failed for a reason in <see cref="TlsFailures"/>' words, on a worker.</summary>
    public void Failed(Worker worker, string reason)
    {
        Stat? stat = reason switch
        {
            _ when reason.Contains("PEER_DID_NOT_RETURN_A_CERTIFICATE", StringComparison.Ordinal) => Stat.FailVerifyNoCert,
            _ when !reason.Contains("CERTIFICATE_VERIFY_FAILED", StringComparison.Ordinal) =>
                reason.Contains("TLS_error:|", StringComparison.Ordinal) ? Stat.ConnectionError : null,
            _ when reason.Contains("SAN", StringComparison.Ordinal) => Stat.FailVerifySan,
            _ when reason.Contains("hash", StringComparison.OrdinalIgnoreCase)
                || reason.Contains("pin", StringComparison.Ordinal) => Stat.FailVerifyCertHash,
            _ => Stat.FailVerifyError,
        };
        if (stat is { } found)
            _group.Of(worker.Index).Count((int)found);
    }
}
