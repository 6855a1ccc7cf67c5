using System.Security.Cryptography;
using System.Text;

namespace Lateen.Proxy.Filters.Lua.Calls;

/// <summary>Public keys and signatures. A key is its own DER text, kept with the run.</summary>
internal static class SignatureCalls
{
    public static int Import(LuaFrame f)
    {
        if (!f.TryText(2, out ReadOnlySpan<byte> der))
            return f.Expected(2, "importPublicKey", "string");
        if (!f.TryNumber(3, out double length))
            return f.Expected(3, "importPublicKey", "number");
        byte[] bytes = der[..Math.Clamp((int)length, 0, der.Length)].ToArray();
        using AsymmetricAlgorithm? key = Key(bytes);
        f.Run.PublicKey = key is null ? [] : bytes;
        return f.Answer(LuaKind.PublicKey);
    }

    public static int GetKey(LuaFrame f) => f.Run.PublicKey.Length == 0 ? f.AnswerNil() : f.Answer(f.Run.PublicKey);

    public static int Verify(LuaFrame f)
    {
        for (int i = 2; i <= 7; i++)
        {
            if (i is 5 or 7 ? !f.TryNumber(i, out _) : i != 3 && !f.TryText(i, out _))
                return f.Expected(i, "verifySignature", i is 5 or 7 ? "number" : "string");
        }
        byte[] der = LuaObjects.TryGet(f.State, 3, LuaKind.PublicKey, f.Run, out _) ? f.Run.PublicKey : Bytes(f, 3, int.MaxValue);
        using AsymmetricAlgorithm? key = Key(der);
        if (key is null)
            return f.Fail("invalid public key");
        f.TryNumber(5, out double signatureLength);
        f.TryNumber(7, out double textLength);
        string error = Check(f.TextOf(2), key, Bytes(f, 4, signatureLength), Bytes(f, 6, textLength));
        int from = f.Begin();
        LuaNative.lua_pushboolean(f.State, error.Length == 0 ? 1 : 0);
        if (error.Length == 0)
            LuaNative.lua_pushnil(f.State);
        else
            f.Push(error);
        return f.Answer(from);
    }

    private static byte[] Bytes(LuaFrame f, int index, double length)
    {
        f.TryText(index, out ReadOnlySpan<byte> text);
        return text[..(int)Math.Clamp(length, 0, text.Length)].ToArray();
    }

    private static string Check(string hash, AsymmetricAlgorithm key, byte[] signature, byte[] text)
    {
        HashAlgorithmName? name = hash.ToUpperInvariant() switch
        {
            "SHA1" => HashAlgorithmName.SHA1,
            "SHA256" => HashAlgorithmName.SHA256,
            "SHA384" => HashAlgorithmName.SHA384,
            "SHA512" => HashAlgorithmName.SHA512,
            _ => null,
        };
        if (name is not { } known)
            return hash + " is not supported.";
        bool good = key is RSA rsa ? rsa.VerifyData(text, signature, known, RSASignaturePadding.Pkcs1)
            : ((ECDsa)key).VerifyData(text, signature, known, DSASignatureFormat.Rfc3279DerSequence);
        return good ? "" : "Failed to verify digest. Error code: 0";
    }

    private static AsymmetricAlgorithm? Key(byte[] der)
    {
        AsymmetricAlgorithm? key = null;
        try
        {
            key = RSA.Create();
            key.ImportSubjectPublicKeyInfo(der, out _);
            return key;
        }
        catch (CryptographicException)
        {
            key?.Dispose();
        }
        try
        {
            key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(der, out _);
            return key;
        }
        catch (CryptographicException)
        {
            key?.Dispose();
            return null;
        }
    }

    public static int Base64(LuaFrame f) =>
        f.TryText(2, out ReadOnlySpan<byte> text)
            ? f.Answer(Encoding.ASCII.GetBytes(Convert.ToBase64String(text))) : f.Expected(2, "base64Escape", "string");
}
