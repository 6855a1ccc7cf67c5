using System.Globalization;
using System.Net;
using Envoy.Config.Core.V3;
using Envoy.Config.Route.V3;
using Envoy.Type.Matcher.V3;
using Lateen.Pilot.Generation.Filters;

namespace Lateen.Pilot.Generation.Security;

/// <summary>Values of authorization rules as matchers: <c>exact</c>, <c>prefix*</c>, <c>*suffix</c>, <c>*</c>.</summary>
internal static class RbacMatchers
{
    /// <summary>Anything that is there.</summary>
    public static StringMatcher Present() => Matching(".+");

    /// <summary>A regular expression.</summary>
    public static StringMatcher Matching(string regex) => new() { SafeRegex = StringMatches.Regex(regex) };

    /// <summary>A string.</summary>
    public static StringMatcher Text(string value, bool ignoreCase = false) => value switch
    {
        "*" => Present(),
        _ when value.StartsWith('*') => new StringMatcher { Suffix = value[1..], IgnoreCase = ignoreCase },
        _ when value.EndsWith('*') => new StringMatcher { Prefix = value[..^1], IgnoreCase = ignoreCase },
        _ => new StringMatcher { Exact = value, IgnoreCase = ignoreCase },
    };

    /// <summary>An identity, which the values write without scheme.</summary>
    public static StringMatcher Identity(string value) => Behind("spiffe://", value);

    /// <summary>A string behind a prefix; a suffix must be found behind it as well.</summary>
    public static StringMatcher Behind(string prefix, string value) => value switch
    {
        "*" => Present(),
        _ when value.StartsWith('*') && prefix.Length == 0 => new StringMatcher { Suffix = value[1..] },
        _ when value.StartsWith('*') => Matching($"{Quote(prefix)}.*{Quote(value[1..])}"),
        _ when value.EndsWith('*') => new StringMatcher { Prefix = prefix + value[..^1] },
        _ => new StringMatcher { Exact = prefix + value },
    };

    /// <summary>A header.</summary>
    public static HeaderMatcher Header(string name, string value, bool ignoreCase = false) => value == "*"
        ? new HeaderMatcher { Name = name, PresentMatch = true }
        : new HeaderMatcher { Name = name, StringMatch = Text(value, ignoreCase) };

    /// <summary>An address or range; null when it is neither.</summary>
    public static CidrRange? Range(string value)
    {
        var slash = value.IndexOf('/', StringComparison.Ordinal);
        if (!IPAddress.TryParse(slash < 0 ? value : value[..slash], out var address)) return null;
        var bitsMax = address.GetAddressBytes().Length * 8;
        var bits = bitsMax;
        if (slash >= 0 && (!int.TryParse(value.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out bits)
            || bits > bitsMax)) return null;
        return new CidrRange { AddressPrefix = slash < 0 ? value : value[..slash], PrefixLen = (uint)bits };
    }

    /// <summary>A claim of a validated token.</summary>
    public static MetadataMatcher Claim(IReadOnlyList<string> claims, StringMatcher value) =>
        ClaimMatches.Matcher(claims, new ValueMatcher { StringMatch = value });

    /// <summary>A claim that is one of the values, or a list with one of them.</summary>
    public static MetadataMatcher ClaimOrList(IReadOnlyList<string> claims, IEnumerable<string> values)
    {
        var list = values.ToList();
        var either = new OrMatcher();
        either.ValueMatchers.Add(new ValueMatcher { ListMatch = new ListMatcher { OneOf = AnyOf(list) } });
        either.ValueMatchers.Add(AnyOf(list));
        return ClaimMatches.Matcher(claims, new ValueMatcher { OrMatch = either });
    }

    /// <summary>One of several values.</summary>
    public static ValueMatcher AnyOf(IReadOnlyList<string> values)
    {
        if (values.Count == 1) return new ValueMatcher { StringMatch = Text(values[0]) };
        var any = new OrMatcher();
        any.ValueMatchers.Add(values.Select(static v => new ValueMatcher { StringMatch = Text(v) }));
        return new ValueMatcher { OrMatch = any };
    }

    /// <summary>Escapes what has a meaning in an RE2 expression.</summary>
    public static string Quote(string text)
    {
        var result = new System.Text.StringBuilder(text.Length + 8);
        foreach (var c in text)
        {
            if (@"\.+*?()|[]{}^$".Contains(c)) result.Append('\\');
            result.Append(c);
        }
        return result.ToString();
    }

    /// <summary>The name in <c>attribute[name]</c>; null when there is none.</summary>
    public static string? Bracketed(string rest) => rest.Length >= 2 && rest[0] == '[' && rest[^1] == ']' ? rest[1..^1] : null;
}
