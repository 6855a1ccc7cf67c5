namespace Lateen.Proxy;

/// <summary>The eleven stations of a request, in the order in which it passes them. One vocabulary for folders, failures, decision records
/// and benchmarks.</summary>
public enum Station : byte
{
    Accept,
    Capture,
    Sniff,
    Secure,
    Decode,
    Filter,
    Route,
    Balance,
    Connect,
    Relay,
    Record,
}
