using Lateen.Agent.Capture;
using Xunit;

namespace Lateen.Test.Unit.Agent;

public sealed class NftTextTests
{
    [Fact]
    public void Rules_say_the_same_in_other_words()
    {
        string text = NftText.Of(
            SidecarRules.Build(new CaptureOptions
            {
                InboundPortsInclude = "*",
                InboundPortsExclude = "15090",
                OutboundIPRangesInclude = "*",
                RedirectDns = true,
                CaptureAllDns = true,
            }).V4, v6: false);
        foreach (string line in new[]
        {
            "add chain ip istio-proxy-nat OUTPUT { type nat hook output priority -100 ; }",
            "add rule ip istio-proxy-nat ISTIO_REDIRECT meta l4proto tcp redirect to :15001",
            "add rule ip istio-proxy-nat ISTIO_INBOUND tcp dport 15090 return",
            "add rule ip istio-proxy-nat ISTIO_OUTPUT oifname \"lo\" ip daddr != 127.0.0.1/32 tcp dport != { 53,15008 } meta skuid 1337 "
            + "jump ISTIO_IN_REDIRECT",
            "add rule ip istio-proxy-nat ISTIO_OUTPUT oifname \"lo\" tcp dport != 53 meta skgid != 1337 return",
            "add rule ip istio-proxy-nat ISTIO_OUTPUT_DNS udp dport 53 redirect to :15053",
            "add rule ip istio-proxy-raw ISTIO_OUTPUT_DNS udp sport 15053 meta skgid 1337 ct zone set 2",
        }) Assert.Contains(line + "\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mark_takes_the_place_of_users_and_groups()
    {
        string text = SidecarRules.Build(new CaptureOptions { OutboundIPRangesInclude = "*", ProxyMark = "1337" }).V4.ToRestoreText();
        Assert.DoesNotContain("owner", text, StringComparison.Ordinal);
        Assert.Contains("-A ISTIO_OUTPUT -m mark --mark 1337 -j RETURN\n", text, StringComparison.Ordinal);
        Assert.Contains("-A ISTIO_OUTPUT -o lo -m mark ! --mark 1337 -j RETURN\n", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("TPROXY", "127.0.0.0/8,10.0.0.0/8")]
    [InlineData("REDIRECT", "")]
    public void Every_word_of_the_rules_is_known(string mode, string excluded)
    {
        (RuleSet v4, RuleSet v6) = SidecarRules.Build(new CaptureOptions
        {
            InboundInterceptionMode = mode, InboundPortsInclude = "80,443", OutboundIPRangesInclude =
                "10.0.0.0/8,fd00::/8", OutboundIPRangesExclude = excluded, OutboundPortsExclude = "22", RerouteVirtualInterfaces = "tap0",
            ExcludeInterfaces = "eth1", OwnerGroupsExclude = "7", RedirectDns = true, DnsServersV4 = ["10.0.0.10"], DropInvalid =
                true, EnableIPv6 = true,
        });
        Assert.StartsWith("add table ip ", NftText.Of(v4, v6: false), StringComparison.Ordinal);
        Assert.StartsWith("add table ip6 ", NftText.Of(v6, v6: true), StringComparison.Ordinal);
    }
}
