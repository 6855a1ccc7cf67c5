using System.Security.Cryptography;
using System.Text;

namespace Bookinfo;

/// <summary>Who is signed in: a name in a cookie, with a seal, so that nobody is somebody else by editing it. Any password will
/// do.</summary>
internal static class Session
{
    private const string Cookie = "session";
    private static readonly byte[] Key =
        Encoding.UTF8.GetBytes(Backends.Setting("SESSION_KEY", Convert.ToHexString(RandomNumberGenerator.GetBytes(32))));

    public static string? User(HttpContext context)
    {
        if (context.Request.Cookies[Cookie] is not { } value || value.IndexOf('.') is not (> 0 and var dot)) return null;
        try
        {
            byte[] name = Convert.FromHexString(value.AsSpan(0, dot));
            return CryptographicOperations.FixedTimeEquals(Convert.FromHexString(value.AsSpan(dot + 1)), HMACSHA256.HashData(Key, name))
                ? Encoding.UTF8.GetString(name) : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    public static void SignIn(HttpContext context, string user)
    {
        byte[] name = Encoding.UTF8.GetBytes(user);
        string value = $"{Convert.ToHexString(name)}.{Convert.ToHexString(HMACSHA256.HashData(Key, name))}";
        context.Response.Cookies.Append(Cookie, value, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Lax, Path = "/" });
    }

    public static void SignOut(HttpContext context) => context.Response.Cookies.Delete(Cookie);
}
