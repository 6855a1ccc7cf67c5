using Lateen.Agent.Capture;
using Xunit;

namespace Lateen.Test.Unit.Agent;

public sealed class CaptureRulesTests
{
    private static string Nat(CaptureOptions options) => SidecarRules.Build(options).V4.ToRestoreText();

    [Fact]
    public void The_proxys_own_traffic_is_let_out_before_anything_is_captured()
    {
        string[] lines = Nat(new CaptureOptions { OutboundIPRangesInclude = "*" }).Split('\n');
        int exempt = Array.IndexOf(lines, "-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN"),
            capture = Array.IndexOf(lines, "-A ISTIO_OUTPUT -j ISTIO_REDIRECT");
        Assert.InRange(exempt, 0, capture - 1);
    }

    [Fact]
    public void Excluded_inbound_ports_come_before_the_redirect()
    {
        string[] lines = Nat(new CaptureOptions { InboundPortsInclude = "*", InboundPortsExclude = "15021,15090," }).Split('\n');
        int redirect = Array.IndexOf(lines, "-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT");
        Assert.InRange(Array.IndexOf(lines, "-A ISTIO_INBOUND -p tcp --dport 15021 -j RETURN"), 0, redirect - 1);
        Assert.InRange(Array.IndexOf(lines, "-A ISTIO_INBOUND -p tcp --dport 15090 -j RETURN"), 0, redirect - 1);
    }

    [Fact]
    public void Without_a_resolver_dns_is_not_redirected() =>
        Assert.DoesNotContain("15053", Nat(new CaptureOptions { RedirectDns = true }), StringComparison.Ordinal);

    [Fact]
    public void All_dns_is_redirected_when_asked()
    {
        string rules = Nat(new CaptureOptions { RedirectDns = true, CaptureAllDns = true });
        Assert.Contains("-A ISTIO_OUTPUT_DNS -p udp --dport 53 -j REDIRECT --to-port 15053\n", rules, StringComparison.Ordinal);
        Assert.Contains("* raw\n", rules, StringComparison.Ordinal);
    }

    [Fact]
    public void A_range_goes_to_the_rules_of_its_family()
    {
        (RuleSet v4, RuleSet v6) =
            SidecarRules.Build(new CaptureOptions { OutboundIPRangesInclude = "10.0.0.0/8,fd00::/8", EnableIPv6 = true });
        Assert.Contains("-d 10.0.0.0/8 -j ISTIO_REDIRECT", v4.ToRestoreText(), StringComparison.Ordinal);
        Assert.DoesNotContain("fd00::/8", v4.ToRestoreText(), StringComparison.Ordinal);
        Assert.Contains("-d fd00::/8 -j ISTIO_REDIRECT", v6.ToRestoreText(), StringComparison.Ordinal);
    }
}
