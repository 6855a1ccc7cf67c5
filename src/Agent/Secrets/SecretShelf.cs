using Envoy.Config.Core.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Google.Protobuf;
using Lateen.Proxy.Net;

namespace Lateen.Agent.Secrets;

/// <summary>The secrets of one workload by the names that istiod gives them: <c>default</c>, <c>ROOTCA</c>, <c>file-cert:CERT~KEY</c>,
/// <c>file-root:CA</c>.</summary>
public sealed class SecretShelf
{
    private const string Workload = "default", Roots = "ROOTCA", FilePair = "file-cert:", FileRoot = "file-root:";
    private const long LookMicros = 5_000_000;
    private readonly EventLoop _loop;
    private readonly WorkloadIdentity _identity;
    private readonly Func<string, string?> _read;
    private readonly Dictionary<string, string?> _files = new(StringComparer.Ordinal);
    private readonly List<Action> _listeners = [];
    private readonly Looking _looking;

    /// <summary>A shelf with what the identity has, and files.</summary>
    public SecretShelf(EventLoop loop, WorkloadIdentity identity, Func<string, string?> read)
    {
        (_loop, _identity, _read, _looking) = (loop, identity, read, new Looking(this));
        identity.Listen(Tell);
    }

    /// <summary>Is told when a secret may have changed.</summary>
    public void Listen(Action changed) => _listeners.Add(changed);

    /// <summary>Forgets a listener.</summary>
    public void Unlisten(Action changed) => _listeners.Remove(changed);

    /// <summary>A secret; null where there is none (yet).</summary>
    public Secret? Find(string name)
    {
        if (name == Workload) return _identity.Secret is { } own ? Pair(name, own.ChainPem, own.KeyPem) : null;
        if (name == Roots) return _identity.RootsPem.Length > 0 ? Anchors(name, _identity.RootsPem) : null;
        if (name.StartsWith(FileRoot, StringComparison.Ordinal))
            return Text(name[FileRoot.Length..]) is { } roots ? Anchors(name, roots) : null;
        if (!name.StartsWith(FilePair, StringComparison.Ordinal) || name[FilePair.Length..].Split('~') is not [var certificate, var key])
            return null;
        return Text(certificate) is { } chain && Text(key) is { } secret ? Pair(name, chain, secret) : null;
    }

    private static Secret Pair(string name, string chain, string key) =>
        new() { Name = name, TlsCertificate = new TlsCertificate { CertificateChain = Inline(chain), PrivateKey = Inline(key) } };

    private static Secret Anchors(string name, string roots) =>
        new() { Name = name, ValidationContext = new CertificateValidationContext { TrustedCa = Inline(roots) } };

    private static DataSource Inline(string text) => new() { InlineBytes = ByteString.CopyFromUtf8(text) };

    // Every file that was asked for once is looked at from then on: it may come later, and be replaced at any time.
    private string? Text(string path)
    {
        if (_files.Count == 0) _loop.Arm(_looking, LookMicros);
        return _files[path] = _read(path);
    }

    private void Look()
    {
        _loop.Arm(_looking, LookMicros);
        bool changed = false;
        foreach ((string path, string? before) in _files.ToArray()) changed |= Text(path) != before;
        if (changed) Tell();
    }

    private void Tell()
    {
        foreach (Action listener in _listeners.ToArray()) listener();
    }

    private sealed class Looking(SecretShelf shelf) : Deadline
    {
        protected override void OnDue(long now) => shelf.Look();
    }
}
