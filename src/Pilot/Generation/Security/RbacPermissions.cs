using System.Globalization;
using Envoy.Config.Core.V3;
using Envoy.Config.Rbac.V3;
using Envoy.Extensions.Path.Match.UriTemplate.V3;
using Envoy.Type.Matcher.V3;
using Lateen.Pilot.Generation.Filters;

namespace Lateen.Pilot.Generation.Security;

/// <summary>Conditions on what is asked for, as permissions.</summary>
internal static class RbacPermissions
{
    public const string Hosts = ":authority";
    public const string Methods = ":method";
    public const string Paths = "path-matcher";
    public const string Ports = "destination.port";
    public const string Addresses = "destination.ip";
    public const string ServerNames = "connection.sni";
    public const string FilterMetadata = Experimental + "envoy.filters.";
    private const string Experimental = "experimental.";

    /// <summary>Whether an attribute is about what is asked for rather than who asks.</summary>
    public static bool Covers(string key) =>
        key is Ports or Addresses or ServerNames || key.StartsWith(FilterMetadata, StringComparison.Ordinal);

    /// <summary>The permissions of several values of one attribute; false when some can't be said here (HTTP attributes for bytes, bad
    /// values).</summary>
    public static bool TryBuild(string key, IReadOnlyList<string> values, bool forTcp, out List<Permission> permissions)
    {
        permissions = [];
        if (IsWhole(key))
        {
            if (Metadata(key, values) is not { } matcher) return false;
            permissions.Add(new Permission { Metadata = matcher });
            return true;
        }
        var complete = true;
        foreach (var value in values)
        {
            if (One(key, value, forTcp) is { } permission) permissions.Add(permission);
            else complete = false;
        }
        return complete;
    }

    /// <summary>The attribute's values are one matcher and need no "or" around them.</summary>
    public static bool IsWhole(string key) => key.StartsWith(Experimental, StringComparison.Ordinal);

    private static Permission? One(string key, string value, bool forTcp) => key switch
    {
        Ports => uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= ushort.MaxValue
            ? new Permission { DestinationPort = port } : null,
        Addresses => RbacMatchers.Range(value) is { } range ? new Permission { DestinationIp = range } : null,
        ServerNames => new Permission { RequestedServerName = RbacMatchers.Text(value) },
        _ when forTcp => null,
        Hosts => new Permission { Header = RbacMatchers.Header(Hosts, value, true) },
        Methods => new Permission { Header = RbacMatchers.Header(Methods, value) },
        Paths => Path(value),
        _ => null,
    };

    private static Permission Path(string value)
    {
        if (!value.Contains("{*}", StringComparison.Ordinal) && !value.Contains("{**}", StringComparison.Ordinal))
        {
            return new Permission { UrlPath = new PathMatcher { Path = RbacMatchers.Text(value) } };
        }
        var template = value.Replace("{**}", "**", StringComparison.Ordinal).Replace("{*}", "*", StringComparison.Ordinal);
        return new Permission
        {
            UriTemplate = new TypedExtensionConfig
            {
                Name = "uri-template",
                TypedConfig = Wire.Pack(new UriTemplateMatchConfig { PathTemplate = template }),
            },
        };
    }

    // experimental.envoy.filters.a.b[c] asks for the metadata c that the filter envoy.filters.a.b left.
    private static MetadataMatcher? Metadata(string key, IReadOnlyList<string> values)
    {
        var bracket = key.IndexOf('[', StringComparison.Ordinal);
        if (bracket < 0 || !key.EndsWith(']')) return null;
        var matcher = new MetadataMatcher { Filter = key[Experimental.Length..bracket] };
        matcher.Path.Add(new MetadataMatcher.Types.PathSegment { Key = key[(bracket + 1)..^1] });
        matcher.Value = values.Count == 1 && RbacMatchers.Bracketed(values[0]) is { } element
            ? new ValueMatcher { ListMatch = new ListMatcher { OneOf = new ValueMatcher { StringMatch = RbacMatchers.Text(element) } } }
            : RbacMatchers.AnyOf(values);
        return matcher;
    }
}
