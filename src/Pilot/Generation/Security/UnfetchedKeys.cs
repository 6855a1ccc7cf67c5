namespace Lateen.Pilot.Generation.Security;

/// <summary>Stands for keys that could not be fetched: a public key whose private half was thrown away when it was made, so that no token
/// is valid.</summary>
/// <remarks>Without any key a proxy would refuse the listener, and with none configured it would let tokens through.</remarks>
public static class UnfetchedKeys
{
    private const string Modulus =
        "uSdWWWNmRJ-fZ-4GkiEHNjnMGsSyIxB2Zzs00k4xanWmzIQM7krP09v3h6mrV4uabzNnoXVILTCkSYNeJsjXSK7oegcjA97w1iCc" +
        "6BiPc3DzFv7JNVnOpKtaoxuQHzmTFc9SsR4OxHglJ7V4y6P2IF6w1sxWL0mZf_VJFqTgBRNye-InVC9Exu5U0BJJ7Ck708E1eZzJ" +
        "jT9s0GurCeSf7wcKZYJlHppBJcjloGLZuu0lN1z12rw25_kK3_QA--84GBct9Nx5NJ1SlOcr3V6Xufoy9qRzb5_wmLx6o-lwZzlx" +
        "5OonFNlS_wk6q6EFwR2821tslFmFg5s1p_Cv_Mw0qQ";

    /// <summary>The key set, whatever issuer and address.</summary>
    /// <param name="issuer">Issuer; tells nothing here.</param>
    /// <param name="address">Address; tells nothing here.</param>
    public static string Of(string issuer, string address) =>
        $$"""{"keys":[{"kty":"RSA","e":"AQAB","n":"{{Modulus}}"}]}""";
}
