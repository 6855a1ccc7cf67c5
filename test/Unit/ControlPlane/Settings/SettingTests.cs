using System.Text.RegularExpressions;
using Envoy.Service.Discovery.V3;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Settings;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Push;
using Lateen.Test.Rigs;
using Lateen.Test.Rigs.Discovery;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Settings;

public sealed class SettingTests
{
    private static Features With(string name, string value) => new(new Dictionary<string, string> { [name] = value });

    private static string[] Said(string name, string value) => [.. SettingFindings.Of(new Dictionary<string, string> { [name] = value })];

    [Theory]
    [InlineData("1", 1)]
    [InlineData("7", 7)]
    [InlineData("2000", 2000)]
    public void The_push_throttle_is_what_is_set(string value, int expected) =>
        Assert.Equal(expected, PushThrottle.MostOf(With("PILOT_PUSH_THROTTLE", value)));

    [Theory]
    [InlineData("0")]
    [InlineData("-3")]
    [InlineData("many")]
    [InlineData("99999999999999")]
    public void Without_a_number_the_push_throttle_follows_the_processors(string value) =>
        Assert.Equal(PushThrottle.MostOf(Features.Default), PushThrottle.MostOf(With("PILOT_PUSH_THROTTLE", value)));

    [Theory]
    [InlineData("250ms", 250)]
    [InlineData("1m30s", 90_000)]
    [InlineData("0", 0)]
    [InlineData("0s", 0)]
    // What Go does not read as a duration is not set.
    [InlineData("100", 5)]
    [InlineData("soon", 5)]
    [InlineData("-1s", 5)]
    [InlineData("", 5)]
    public void Durations_are_those_of_Go(string value, int milliseconds) => Assert.Equal(TimeSpan.FromMilliseconds(milliseconds),
        With("PILOT_DEBOUNCE_AFTER", value).Duration("PILOT_DEBOUNCE_AFTER", TimeSpan.FromMilliseconds(5)));

    [Theory]
    [InlineData("true", true, true)]
    [InlineData("T", false, true)]
    [InlineData("0", true, false)]
    [InlineData("FALSE", true, false)]
    [InlineData("yes", true, true)]
    [InlineData("yes", false, false)]
    [InlineData("", true, true)]
    public void Booleans_are_those_of_Go_and_others_count_as_not_set(string value, bool otherwise, bool expected) =>
        Assert.Equal(expected, With("PILOT_ENABLE_EDS_DEBOUNCE", value).Flag("PILOT_ENABLE_EDS_DEBOUNCE", otherwise));

    [Theory]
    [InlineData("PILOT_DEBOUNCE_AFTER", "100", "PILOT_DEBOUNCE_AFTER is \"100\", which is no duration (100ms, 1m30s): 100ms holds")]
    [InlineData("PILOT_DEBOUNCE_MAX", "soon", "PILOT_DEBOUNCE_MAX is \"soon\", which is no duration (100ms, 1m30s): 10s holds")]
    [InlineData("PILOT_ENABLE_EDS_DEBOUNCE", "yes",
        "PILOT_ENABLE_EDS_DEBOUNCE is \"yes\", which is no boolean (true or false): true holds")]
    [InlineData("PILOT_PUSH_THROTTLE", "many", "PILOT_PUSH_THROTTLE is \"many\", which is no number: 0 holds")]
    [InlineData("PILOT_ENABLE_AGENTGATEWAY", "true", "PILOT_ENABLE_AGENTGATEWAY=true has no effect here: it is not built")]
    [InlineData("PILOT_PUSH_TROTTLE", "7",
        "PILOT_PUSH_TROTTLE is no setting that is known here, and has no effect; is PILOT_PUSH_THROTTLE meant?")]
    public void What_has_no_effect_is_said_by_name(string name, string value, string expected) =>
        Assert.Equal(expected, Assert.Single(Said(name, value)));

    [Theory]
    [InlineData("PILOT_DEBOUNCE_AFTER", "250ms")]
    [InlineData("PILOT_ENABLE_AGENTGATEWAY", "false")]
    [InlineData("PILOT_ENABLE_AGENTGATEWAY", "0")]
    [InlineData("PILOT_ANALYSIS_INTERVAL", "10000ms")]
    [InlineData("PILOT_ENABLE_AMBIENT", "")]
    [InlineData("PILOT_SERVICE_HOST", "10.0.0.1")]
    [InlineData("PILOT_PORT_8080_TCP", "tcp://10.0.0.1:8080")]
    [InlineData("HOME", "/root")]
    public void What_works_or_means_nothing_is_not_spoken_of(string name, string value) => Assert.Empty(Said(name, value));

    [Fact]
    public void A_control_plane_says_it_when_it_starts()
    {
        var environment = new Dictionary<string, string> { ["XDS_AUTH"] = "no", ["PILOT_NONE_SUCH"] = "1", ["PILOT_HTTP10"] = "true" };
        Assert.Equal(2, SettingFindings.Of(environment).Count());
    }

    [Fact]
    public void Debounce_and_bounds_come_from_the_options()
    {
        var options = new ControlPlaneOptions
        {
            StateFolder = "",
            DebounceAfter = TimeSpan.FromMilliseconds(70),
            DebounceMax = TimeSpan.FromSeconds(3),
            Environment = new Dictionary<string, string>
            {
                ["PILOT_ENABLE_EDS_DEBOUNCE"] = "false",
                ["PILOT_ENABLE_XDS_IDENTITY_CHECK"] = "false",
            },
        };
        PushOptions push = new ControlLoop(options, new(_ => [], TimeProvider.System), [], DateTimeOffset.UnixEpoch, TimeProvider.System)
            .Hub.Options;
        Assert.Equal((TimeSpan.FromMilliseconds(70), TimeSpan.FromSeconds(3), false, false),
            (push.DebounceQuiet, push.DebounceMax, push.DebouncesEndpoints, push.ChecksIdentity));
    }

    [Theory]
    [InlineData("true", false)]
    [InlineData("false", true)]
    public void A_node_of_another_namespace_is_refused_unless_nobody_looks(string checks, bool isTaken)
    {
        DateTimeOffset now = DateTimeOffset.UnixEpoch;
        var options = new ControlPlaneOptions
        {
            StateFolder = "",
            Environment = new Dictionary<string, string> { ["PILOT_ENABLE_XDS_IDENTITY_CHECK"] = checks },
        };
        var loop = new ControlLoop(options, new(_ => [], TimeProvider.System), Wiring.Generators(), now, TimeProvider.System);
        AdsStream stream = loop.Streams.Connect("peer", () => { }, now, ["spiffe://cluster.local/ns/other/sa/client"]);
        string? refused = loop.Streams.Receive(stream,
            new DeltaDiscoveryRequest { Node = AdsClient.Sidecar("client", "shop"), TypeUrl = TypeUrls.Cluster }, now);
        Assert.Equal(isTaken, refused is null);
        Assert.True(isTaken || refused!.StartsWith("authorization failed", StringComparison.Ordinal));
    }

    /// <summary>Whoever reads one more variable writes it into the list, and none is listed as served that nobody reads.</summary>
    [Fact]
    public void The_list_of_settings_is_that_of_the_code()
    {
        string listed = Path.Combine("ControlPlane", "Settings", "KnownSettings.cs");
        string code = string.Concat(Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.EndsWith(listed, StringComparison.Ordinal)).Select(File.ReadAllText));
        Assert.Empty(KnownSettings.All.Values
            .Where(setting => setting.Idle is null && !code.Contains($"\"{setting.Name}\"", StringComparison.Ordinal))
            .Select(setting => setting.Name));
        Assert.Empty(KnownSettings.All.Values
            .Where(setting => setting.Idle is not null && code.Contains($"\"{setting.Name}\"", StringComparison.Ordinal))
            .Select(setting => setting.Name));
        IEnumerable<string> read = Regex.Matches(code,
            "(?:Features|features|Settings)(?:\\.Default)?\\)?\\.(?:Flag|Number|Text|Duration)\\(\\s*\"([A-Z0-9_]+)\"")
            .Select(match => match.Groups[1].Value).Distinct();
        Assert.All(read, name => Assert.True(KnownSettings.All.TryGetValue(name, out KnownSetting? known) && known.Idle is null, name));
    }
}
