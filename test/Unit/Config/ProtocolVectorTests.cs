using System.Text.Json;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Documents;
using Lateen.Api.Names;
using Lateen.Config.Names;
using Lateen.Test.Unit.Api;
using Xunit;
using static Lateen.Test.Unit.Api.Vectors;

namespace Lateen.Test.Unit.Config;

public sealed class ProtocolVectorTests
{
    private static Server ServerOf(JsonElement row) => new MessageReader("", []).Read<Server>(DocumentReader.ReadSingle(row.GetProperty("server").GetRawText(), "", []));

    [Fact]
    public void Protocols_by_name() => Play("protocol-selection/parse-protocol.json", r => Differs(r.Text("out"), Protocols.NameOf(Protocols.Parse(r.Text("input")))));

    [Fact]
    public void Protocols_of_service_ports() => Play("protocol-selection/convert-protocol.json", r =>
        Differs(r.Text("expectedProto"), Protocols.NameOf(Protocols.OfServicePort(r.Number("port"), r.Text("portName"), r.Text("proto"), r.TextOrNull("appProto")))));

    [Fact]
    public void Listeners_of_protocols() => Play("protocol-selection/listener-protocol.json", r =>
        Differs(r.Text("want").ToUpperInvariant(), "LISTENERPROTOCOL" + Protocols.ListenerOf(Protocols.Parse(r.Text("protocol"))).ToString().ToUpperInvariant()));

    [Fact]
    public void Servers_of_gateways()
    {
        Play("protocol-selection/is-http-server.json", r => Differs(r.Truth("expected"), GatewayServers.IsHttp(ServerOf(r))));
        Play("protocol-selection/is-https-terminating.json", r => Differs(r.Truth("expected"), GatewayServers.IsHttpsTerminating(ServerOf(r))));
        Play("protocol-selection/is-passthrough.json", r => Differs(r.Truth("expected"), GatewayServers.IsPassthrough(ServerOf(r))));
        Play("protocol-selection/is-tcp-tls-terminating.json", r => Differs(r.Truth("expected"), GatewayServers.IsTcpTlsTerminating(ServerOf(r))));
        Play("protocol-selection/is-tls-server.json", r => Differs(r.Truth("expected"), GatewayServers.IsTls(ServerOf(r))));
        Play("protocol-selection/http3-eligible.json", r => Differs(r.Truth("expected"), GatewayServers.IsEligibleForHttp3(ServerOf(r), r.Truth("enableQUICListeners"))));
    }
}
