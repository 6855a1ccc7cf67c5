using System.Text.Json;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Documents;
using Lateen.Api.Names;
using Lateen.Config.Names;

namespace Lateen.Test.Conformance.Runners.Names;

/// <summary>protocol-selection: protocols by port name, application protocol and port; kinds of gateway servers.</summary>
public sealed class ProtocolSelectionRunner : RowsRunner
{
    /// <inheritdoc/>
    public override string Folder => "protocol-selection";

    /// <inheritdoc/>
    protected override void PlayAll()
    {
        Play("parse-protocol.json", r => Differs(r.Text("out"), Protocols.NameOf(Protocols.Parse(r.Text("input")))));
        Play("convert-protocol.json", r =>
        Differs(r.Text("expectedProto"),
            Protocols.NameOf(Protocols.OfServicePort(r.Number("port"), r.Text("portName"), r.Text("proto"), r.TextOrNull("appProto")))));
        Play("listener-protocol.json", r =>
        Differs(r.Text("want").ToUpperInvariant(),
            "LISTENERPROTOCOL" + Protocols.ListenerOf(Protocols.Parse(r.Text("protocol"))).ToString().ToUpperInvariant()));
        Play("is-http-server.json", r => Differs(r.Truth("expected"), GatewayServers.IsHttp(ServerOf(r))));
        Play("is-https-terminating.json", r => Differs(r.Truth("expected"), GatewayServers.IsHttpsTerminating(ServerOf(r))));
        Play("is-passthrough.json", r => Differs(r.Truth("expected"), GatewayServers.IsPassthrough(ServerOf(r))));
        Play("is-tcp-tls-terminating.json", r => Differs(r.Truth("expected"), GatewayServers.IsTcpTlsTerminating(ServerOf(r))));
        Play("is-tls-server.json", r => Differs(r.Truth("expected"), GatewayServers.IsTls(ServerOf(r))));
        Play("http3-eligible.json",
            r => Differs(r.Truth("expected"), GatewayServers.IsEligibleForHttp3(ServerOf(r), r.Truth("enableQUICListeners"))));
    }

    private static Server ServerOf(JsonElement row) =>
        new MessageReader("", []).Read<Server>(DocumentReader.ReadSingle(row.GetProperty("server").GetRawText(), "", []));
}
