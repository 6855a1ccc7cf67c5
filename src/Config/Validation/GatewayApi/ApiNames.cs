// The rules of the Gateway API's CRDs (schema and CEL) for what is read without an API server: a folder of files gets the same verdict as a
// cluster. What Istio then makes of an accepted object is its status, and Pilot's to say.
//
// Pure functions over the messages. Defaults of the API are taken where a field is absent: a listener's TLS terminates, a backend is a
// Service, a parent is a Gateway.
using System.Text.RegularExpressions;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;

namespace Lateen.Config.Validation.GatewayApi;

/// <summary>The forms of names and values in the Gateway API.</summary>
internal static partial class ApiNames
{
    private const string Subdomain = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

    public static bool IsHostname(string text) => text.Length is > 0 and <= 253 && HostnameForm().IsMatch(text);

    public static bool IsPreciseHostname(string text) => text.Length is > 0 and <= 253 && SubdomainForm().IsMatch(text);

    public static bool IsSectionName(string text) => IsPreciseHostname(text);

    public static bool IsControllerName(string text) => text.Length is > 0 and <= 253 && ControllerForm().IsMatch(text);

    public static bool IsHeaderName(string text) => text.Length is > 0 and <= 256 && HeaderNameForm().IsMatch(text);

    public static bool IsHeaderValue(string text) => text.Length is > 0 and <= 4096 && HeaderValueForm().IsMatch(text);

    public static bool IsPath(string text) => PathForm().IsMatch(text);

    public static bool IsOrigin(string text) => text.Length is > 0 and <= 253 && OriginForm().IsMatch(text);

    public static bool IsMetadataKey(string text) => MetadataKeyForm().IsMatch(text) && text.Split('/')[0].Length < 253;

    public static bool IsMetadataValue(string text) => text.Length == 0 || (text.Length <= 63 && MetadataValueForm().IsMatch(text));

    public static bool IsUri(string text) => text.Length is > 0 and <= 253 && UriForm().IsMatch(text);

    public static bool IsWellKnownAuthority(string text) => text == "System" || ControllerForm().IsMatch(text);

    /// <summary>GEP-2257: up to four terms of up to five digits, without fractions.</summary>
    public static bool TryDuration(string text, out TimeSpan duration)
    {
        duration = default;
        if (!DurationForm().IsMatch(text) || !Durations.TryParse(text, out var parsed)) return false;
        duration = parsed.ToTimeSpan();
        return true;
    }

    [GeneratedRegex("^(\\*\\.)?" + Subdomain + "$")]
    private static partial Regex HostnameForm();

    [GeneratedRegex("^" + Subdomain + "$")]
    private static partial Regex SubdomainForm();

    [GeneratedRegex("^" + Subdomain + "/[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+$")]
    private static partial Regex ControllerForm();

    [GeneratedRegex("^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$")]
    private static partial Regex HeaderNameForm();

    [GeneratedRegex("^[!-~]+([\\t ]?[!-~]+)*$", RegexOptions.NonBacktracking)]
    private static partial Regex HeaderValueForm();

    [GeneratedRegex("^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$")]
    private static partial Regex PathForm();

    [GeneratedRegex("(^\\*$)|(^(http(s)?)://(((\\*\\.)?([a-zA-Z0-9\\-]+\\.)*[a-zA-Z0-9-]+|\\*)(:([0-9]{1,5}))?)$)",
        RegexOptions.NonBacktracking)]
    private static partial Regex OriginForm();

    [GeneratedRegex("^(" + Subdomain + "/)?([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$")]
    private static partial Regex MetadataKeyForm();

    [GeneratedRegex("^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")]
    private static partial Regex MetadataValueForm();

    [GeneratedRegex("^(([^:/?#]+):)(//([^/?#]*))([^?#]*)(\\?([^#]*))?(#(.*))?")]
    private static partial Regex UriForm();

    [GeneratedRegex("^([0-9]{1,5}(h|m|s|ms)){1,4}$")]
    private static partial Regex DurationForm();
}
