using Lateen.Proxy.Filters.Cors;
using Lateen.Proxy.Filters.ExtAuthz;
using Lateen.Proxy.Filters.ExtProc;
using Lateen.Proxy.Routing;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>Settings of a virtual host, and what a route within changes of them.</summary>
public sealed class LayeredSettingsTests
{
    [Fact]
    public void A_policy_for_origins_takes_from_the_level_above_what_it_leaves_open()
    {
        StringMatch origin = StringMatch.Of(StringMatchKind.Exact, "https://a.test");
        var host = new CorsPolicy
        {
            Origins = [origin], Methods = "GET"u8.ToArray(), MaxAge = "60"u8.ToArray(), Credentials = true, Enabled = new Fraction(0, 100),
        };
        var merged = (CorsPolicy)new CorsPolicy { Methods = "PUT"u8.ToArray(), Credentials = false }.Over(host);
        Assert.Same(origin, Assert.Single(merged.Origins));
        Assert.Equal("PUT"u8, merged.Methods);
        Assert.Equal("60"u8, merged.MaxAge);
        Assert.False(merged.Credentials);
        // Whether it holds is the most specific one's word.
        Assert.Equal(Fraction.All, merged.Enabled);
    }

    [Fact]
    public void The_words_of_all_levels_go_to_an_authorizer()
    {
        var host = new ExtAuthzRouteSettings { Extensions = new Dictionary<string, string> { ["team"] = "a", ["tier"] = "one" }, NoBody = true };
        var merged = (ExtAuthzRouteSettings)new ExtAuthzRouteSettings
        {
            Extensions = new Dictionary<string, string> { ["tier"] = "two" },
        }.Over(host);
        Assert.Equal([("team", "a"), ("tier", "two")], merged.Extensions.OrderBy(e => e.Key).Select(e => (e.Key, e.Value)));
        Assert.False(merged.NoBody);
    }

    [Fact]
    public void A_route_without_a_mode_keeps_the_virtual_hosts()
    {
        var host = new ExtProcRouteSettings(false, null) { FailureModeAllow = true };
        Assert.True(((ExtProcRouteSettings)new ExtProcRouteSettings(false, null).Over(host)).FailureModeAllow);
        Assert.Null(((ExtProcRouteSettings)new ExtProcRouteSettings(true, null).Over(host)).FailureModeAllow);
    }
}
