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
        nint leaf = Leaf(chainPem);
        if (leaf == 0) return null;
        var secret = new WorkloadSecret(chainPem, keyPem, Time(LibCrypto.X509_get0_notBefore(leaf)),
            Time(LibCrypto.X509_get0_notAfter(leaf)));
        LibCrypto.X509_free(leaf);
        return secret;
    }

    private static unsafe nint Leaf(string pem)
    {
        fixed (byte* bytes = Encoding.ASCII.GetBytes(pem))
        {
            nint bio = LibCrypto.BIO_new_mem_buf(bytes, pem.Length);
            nint leaf = LibCrypto.PEM_read_bio_X509(bio, 0, 0, 0);
            _ = LibCrypto.BIO_free(bio);
            LibCrypto.ERR_clear_error();
            return leaf;
        }
    }

    private static unsafe DateTimeOffset Time(nint asn)
    {
        (int days, int seconds) = (0, 0);
        nint epoch = LibCrypto.ASN1_TIME_set(0, 0);
        _ = LibCrypto.ASN1_TIME_diff(&days, &seconds, epoch, asn);
        LibCrypto.ASN1_STRING_free(epoch);
        return DateTimeOffset.UnixEpoch.AddDays(days).AddSeconds(seconds);
    }

    /// <summary>The secret of two files, as Istio names them; null where they are not there or can't be read.</summary>
    public static WorkloadSecret? ReadFolder(string folder, Func<string, string?> read) =>
        read(Path.Combine(folder, ChainFile)) is { } chain && read(Path.Combine(folder, KeyFile)) is { } key ? Read(chain, key) : null;

    /// <summary>Writes the files, the key for its owner alone.</summary>
    /// <exception cref="IOException">The folder can't be written.</exception>
    public void WriteFolder(string folder, string rootsPem)
    {
        Directory.CreateDirectory(folder);
        foreach ((string name, string text, UnixFileMode mode) in new[] { (KeyFile, KeyPem, Private),
            (ChainFile, ChainPem, Private | Readable), (RootFile, rootsPem, Private | Readable) })
        {
            string path = Path.Combine(folder, name), fresh = path + ".new";
            File.Delete(fresh);
            using (var file = new FileStream(fresh,
                new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode }))
                file.Write(Encoding.ASCII.GetBytes(text));
            File.Move(fresh, path, overwrite: true);
        }
    }

    /// <summary>The name of the roots' file beside key and chain.</summary>
    public const string RootFile = "root-cert.pem";

    private const string ChainFile = "cert-chain.pem", KeyFile = "key.pem";
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        Readable = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
}
