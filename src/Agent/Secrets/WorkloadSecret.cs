using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Lateen.Agent.Secrets;

/// <summary>A key with its certificate.</summary>
/// <param name="ChainPem">PEM: leaf first, then what leads to the root.</param>
/// <param name="KeyPem">PEM of the private key.</param>
/// <param name="Begins">When the certificate begins to be good.</param>
/// <param name="Ends">When it ends.</param>
public sealed record WorkloadSecret(string ChainPem, string KeyPem, DateTimeOffset Begins, DateTimeOffset Ends)
{
    /// <summary>Reads the leaf's times; null where the text holds no certificate.</summary>
    public static WorkloadSecret? Read(string chainPem, string keyPem)
    {
        try
        {
            using X509Certificate2 leaf = X509Certificate2.CreateFromPem(chainPem);
            return new(chainPem, keyPem, leaf.NotBefore.ToUniversalTime(), leaf.NotAfter.ToUniversalTime());
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>The secret of three files, as Istio names them; null where they are not there or can't be read.</summary>
    public static WorkloadSecret? ReadFolder(string folder)
    {
        string chain = Path.Combine(folder, ChainFile), key = Path.Combine(folder, KeyFile);
        try { return File.Exists(chain) && File.Exists(key) ? Read(File.ReadAllText(chain), File.ReadAllText(key)) : null; }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException) { return null; }
    }

    /// <summary>Writes the files, the key for its owner alone.</summary>
    /// <exception cref="IOException">The folder can't be written.</exception>
    public void WriteFolder(string folder, string rootsPem)
    {
        Directory.CreateDirectory(folder);
        foreach ((string name, string text, UnixFileMode mode) in new[] { (KeyFile, KeyPem, Private), (ChainFile, ChainPem, Private | Readable), (RootFile, rootsPem, Private | Readable) })
        {
            string path = Path.Combine(folder, name), fresh = path + ".new";
            File.Delete(fresh);
            using (var file = new FileStream(fresh, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode })) file.Write(Encoding.ASCII.GetBytes(text));
            File.Move(fresh, path, overwrite: true);
        }
    }

    /// <summary>The name of the roots' file beside key and chain.</summary>
    public const string RootFile = "root-cert.pem";

    private const string ChainFile = "cert-chain.pem", KeyFile = "key.pem";
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite, Readable = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
}
