using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Validation.Mesh;
using Xunit;
using TlsMode = Istio.Networking.V1Alpha3.ClientTLSSettings.Types.TLSmode;

namespace Lateen.Test.Unit.Config.Validation;

public sealed class ConfigSourceRulesTests
{
    [Theory]
    [InlineData("xds://istiod:15012", TlsMode.IstioMutual, "", null)]
    [InlineData("xds://istiod:15012", TlsMode.Mutual, "", "certificate")]
    [InlineData("xds://istiod:15012", TlsMode.Simple, "a-secret", "credentialName")]
    [InlineData("xds://istiod:15012/path", TlsMode.Disable, "", "xds://host:port")]
    [InlineData("xds://istiod", TlsMode.Disable, "", "xds://host:port")]
    [InlineData("fs:///etc/mesh", TlsMode.Disable, "", null)]
    [InlineData("fs://", TlsMode.Disable, "", "fs:///path")]
    [InlineData("k8s://", TlsMode.Disable, "", null)]
    [InlineData("k8s://other", TlsMode.Disable, "", "k8s://")]
    [InlineData("https://istiod:15012", TlsMode.Disable, "", "fs:///path")]
    [InlineData("istiod", TlsMode.Disable, "", "no address")]
    public void What_cannot_be_followed_is_said(string address, TlsMode mode, string credential, string? said)
    {
        var source = new ConfigSource { Address = address, TlsSettings = new ClientTLSSettings { Mode = mode, CredentialName = credential } };
        Assert.Contains(said ?? "nothing", ConfigSourceRules.Problem(source) ?? "nothing", StringComparison.Ordinal);
        var mesh = new MeshConfig { ConfigSources = { source } };
        Assert.Equal(said is not null, MeshConfigRules.Check(mesh).Items.Any(item => item.Path == "configSources[0]"));
    }
}
