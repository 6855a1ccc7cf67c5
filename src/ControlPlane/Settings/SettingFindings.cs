using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane.Settings;

/// <summary>What is to be said at the start about the variables of the environment.</summary>
public static class SettingFindings
{
    // What begins so is meant for istiod; everything else may be anybody's.
    private const string Prefix = "PILOT_";

    // Kubernetes tells every pod of the services beside it by such names.
    private static readonly string[] ServiceLinks = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"];

    /// <summary>A sentence for each variable whose value can't be read, that has no effect here, or that nobody knows; by name.</summary>
    public static IEnumerable<string> Of(IReadOnlyDictionary<string, string> environment) =>
        environment.Where(variable => variable.Value.Length > 0).OrderBy(variable => variable.Key, StringComparer.Ordinal)
            .Select(variable => About(variable.Key, variable.Value)).OfType<string>();

    private static string? About(string name, string value)
    {
        if (!KnownSettings.All.TryGetValue(name, out KnownSetting? known)) return AboutUnknown(name);
        if (!IsReadable(known.Form, value))
            return $"{name} is \"{value}\", which is no {Word(known.Form)}: "
                + (known.Idle is not null ? "it has no effect here anyway"
                    : $"{(known.Preset.Length > 0 ? known.Preset : "its default")} holds");
        return known.Idle is null || IsPreset(known, value) ? null : $"{name}={value} has no effect here: {known.Idle}";
    }

    private static string? AboutUnknown(string name)
    {
        if (!name.StartsWith(Prefix, StringComparison.Ordinal)
            || Array.Exists(ServiceLinks, end => name.EndsWith(end, StringComparison.Ordinal))
            || name.Contains("_PORT_", StringComparison.Ordinal)) return null;
        string? nearest = Suggestions.Nearest(name, KnownSettings.All.Keys);
        return $"{name} is no setting that is known here, and has no effect{(nearest is null ? "" : $"; is {nearest} meant?")}";
    }

    private static bool IsReadable(SettingForm form, string value) => form switch
    {
        SettingForm.Flag => Features.ParseFlag(value) is not null,
        SettingForm.Number => long.TryParse(value, CultureInfo.InvariantCulture, out _),
        SettingForm.Fraction => double.TryParse(value, CultureInfo.InvariantCulture, out _),
        SettingForm.Duration => Durations.TryParse(value, out _),
        _ => true,
    };

    private static bool IsPreset(KnownSetting known, string value) => known.Form switch
    {
        SettingForm.Flag => Features.ParseFlag(value) == Features.ParseFlag(known.Preset),
        SettingForm.Duration => Durations.TryParse(value, out Duration? said) && Durations.TryParse(known.Preset, out Duration? preset)
            && said.Equals(preset),
        _ => value == known.Preset,
    };

    private static string Word(SettingForm form) => form switch
    {
        SettingForm.Flag => "boolean (true or false)",
        SettingForm.Duration => "duration (100ms, 1m30s)",
        _ => "number",
    };
}
