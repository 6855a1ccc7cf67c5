namespace Lateen.Citadel.Authorities;

/// <summary>
/// Keys of an authority in a folder, under the names of Istio's secrets: <c>ca-cert.pem</c>, <c>ca-key.pem</c>, <c>root-cert.pem</c>,
/// <c>cert-chain.pem</c> (`cacerts`, `istio-ca-secret`), or <c>tls.crt</c>, <c>tls.key</c>, <c>ca.crt</c> (a secret of type TLS).
/// </summary>
public sealed class KeyFolder(string path)
{
    private const string RootFile = "root-cert.pem", SignerFile = "ca-cert.pem", KeyFile = "ca-key.pem", ChainFile = "cert-chain.pem";

    /// <summary>Where the roots are, for those who only trust.</summary>
    public string RootsPath => Path.Combine(path, RootFile);

    /// <summary>True where there are keys to read.</summary>
    public bool HasKeys => File.Exists(At(SignerFile)) || File.Exists(At("tls.crt"));

    /// <summary>Reads the bundle; null with the problem said.</summary>
    public SigningBundle? Read(out string? problem)
    {
        try
        {
            if (!File.Exists(At(SignerFile)))
            {
                string signer = Text("tls.crt");
                return SigningBundle.Create(signer, Text("tls.key"), signer, Text("ca.crt"), out problem);
            }
            return SigningBundle.Create(Text(SignerFile), Text(KeyFile), File.Exists(At(ChainFile)) ? Text(ChainFile) : "", Text(RootFile),
                out problem);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            problem = refused.Message;
            return null;
        }
    }

    /// <summary>Writes a bundle; the key is its owner's alone. Readers never see half a file.</summary>
    /// <exception cref="IOException">The folder can't be written.</exception>
    public void Write(SigningBundle bundle)
    {
        Directory.CreateDirectory(path,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute
                | UnixFileMode.OtherExecute);
        Put(KeyFile, bundle.KeyPem + "\n", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Put(SignerFile, bundle.Signer.ExportCertificatePem() + "\n", Readable);
        Put(ChainFile, bundle.ChainPem, Readable);
        Put(RootFile, bundle.RootsPem, Readable);
    }

    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private string At(string name) => Path.Combine(path, name);

    private string Text(string name) => File.ReadAllText(At(name));

    private void Put(string name, string text, UnixFileMode mode)
    {
        string fresh = At(name + ".new");
        File.Delete(fresh);
        using (var file = new StreamWriter(
            new FileStream(fresh, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode })))
            file.Write(text);
        File.Move(fresh, At(name), overwrite: true);
    }
}
