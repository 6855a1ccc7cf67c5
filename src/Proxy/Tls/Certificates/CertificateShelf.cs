namespace Lateen.Proxy.Tls.Certificates;

/// <summary>
/// Our certificates, parsed once, by the names they are for: an exact DNS name before a wildcard of one label, else those that share a name
/// with the first. Of a name's certificates one of each key type is shown to libssl, which takes what the client can verify.
/// </summary>
internal sealed unsafe class CertificateShelf
{
    private readonly List<Entry> _entries = [];
    private readonly Dictionary<string, List<Entry>> _byName = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<Entry> _fallback = [];

    private CertificateShelf()
    {
    }

    ~CertificateShelf()
    {
        foreach (Entry entry in _entries)
            entry.Free();
    }

    /// <summary>True where there is more than one to choose from.</summary>
    public bool HasChoice => _entries.Count > 1;

    /// <summary>Parses all. Null with one sentence where a chain or key is unusable.</summary>
    public static CertificateShelf? Create(IReadOnlyList<TlsCertificate> certificates, out string error)
    {
        var shelf = new CertificateShelf();
        error = "";
        foreach (TlsCertificate certificate in certificates)
        {
            Entry? entry = Entry.Create(certificate, out error);
            if (entry is null)
                return null;
            shelf._entries.Add(entry);
            foreach (string name in entry.ServerNames)
                Shelve(shelf.Named(name), entry);
        }
        if (shelf._entries.Count == 0)
            return shelf;
        Shelve(shelf._fallback, shelf._entries[0]);
        foreach (Entry entry in shelf._entries.Where(
            e => e.ServerNames.Intersect(shelf._entries[0].ServerNames, StringComparer.OrdinalIgnoreCase).Any()))
            Shelve(shelf._fallback, entry);
        return shelf;
    }

    private List<Entry> Named(string name)
    {
        if (!_byName.TryGetValue(name, out List<Entry>? entries))
            _byName[name] = entries = [];
        return entries;
    }

    // The first of each key type.
    private static void Shelve(List<Entry> shelf, Entry entry)
    {
        if (!shelf.Exists(e => e.KeyType == entry.KeyType))
            shelf.Add(entry);
    }

    /// <summary>The certificate that a context has where nothing is chosen.</summary>
    public void UseFirst(nint context)
    {
        if (_entries.Count > 0)
            OpenSsl.SSL_CTX_use_cert_and_key(context, _entries[0].Leaf, _entries[0].Key, _entries[0].Chain, 1);
    }

    /// <summary>What a handshake showed of ours; nothing where it showed nothing.</summary>
    public PresentedChain Shown(nint leaf) => _entries.Find(e => e.Leaf == leaf)?.Shown ?? PresentedChain.Of(leaf, 0);

    /// <summary>The certificates for a server name, into a handshake.</summary>
    public void UseFor(string name, nint ssl)
    {
        if (!_byName.TryGetValue(name, out List<Entry>? chosen))
        {
            int dot = name.IndexOf('.', StringComparison.Ordinal);
            if (dot <= 0 || !_byName.TryGetValue(string.Concat("*", name.AsSpan(dot)), out chosen))
                chosen = _fallback;
        }
        OpenSsl.SSL_certs_clear(ssl);
        foreach (Entry entry in chosen)
            OpenSsl.SSL_use_cert_and_key(ssl, entry.Leaf, entry.Key, entry.Chain, 1);
    }

    private sealed class Entry
    {
        private readonly List<nint> _certificates = [];

        public nint Leaf => _certificates[0];

        public nint Key { get; private set; }

        /// <summary>STACK_OF(X509) of what follows the leaf.</summary>
        public nint Chain { get; private set; }

        public int KeyType { get; private set; }

        public PresentedChain Shown { get; private set; } = PresentedChain.None;

        /// <summary>DNS names; the common name where there are no names at all.</summary>
        public string[] ServerNames { get; private set; } = [];

        public static Entry? Create(TlsCertificate from, out string error)
        {
            error = "";
            var entry = new Entry();
            List<nint>? certificates = Pem.Certificates(from.Chain.Span);
            if (certificates is not { Count: > 0 })
            {
                error = "Failed to load certificate chain from <inline>";
                return null;
            }
            entry._certificates.AddRange(certificates);
            entry.Key = Pem.PrivateKey(from.Key.Span, from.Password);
            if (entry.Key == 0 || OpenSsl.X509_check_private_key(entry.Leaf, entry.Key) != 1)
            {
                error = entry.Key == 0 ? "Failed to load private key from <inline>"
                    : "Failed to load private key from <inline>, Cause: error:0b000074:X.509 certificate "
                        + "routines:OPENSSL_internal:KEY_VALUES_MISMATCH";
                entry.Free();
                OpenSsl.ERR_clear_error();
                return null;
            }
            entry.Chain = OpenSsl.OPENSSL_sk_new_null();
            foreach (nint certificate in certificates.Skip(1))
                OpenSsl.OPENSSL_sk_push(entry.Chain, certificate);
            entry.KeyType = OpenSsl.EVP_PKEY_get_base_id(entry.Key);
            entry.Shown = PresentedChain.Of(entry.Leaf, 0);
            CertificateNames names = entry.Shown.Names;
            entry.ServerNames = names.Of(SanKind.Dns);
            if (names.Names.Count == 0 && names.CommonName.Length > 0)
                entry.ServerNames = [names.CommonName];
            return entry;
        }

        public void Free()
        {
            foreach (nint certificate in _certificates)
                OpenSsl.X509_free(certificate);
            OpenSsl.EVP_PKEY_free(Key);
            if (Chain != 0)
                OpenSsl.OPENSSL_sk_free(Chain);
            _certificates.Clear();
            Key = Chain = 0;
        }
    }
}
