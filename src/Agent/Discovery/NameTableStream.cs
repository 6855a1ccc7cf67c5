using Envoy.Config.Core.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.Nds.V1;
using Lateen.Agent.Dns;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;
using Lateen.Proxy.Remote;

namespace Lateen.Agent.Discovery;

/// <summary>Keeps the DNS proxy's table as the control plane has it, over an ADS stream of its own that asks for nothing else.</summary>
/// <param name="loop">Where it lives.</param>
/// <param name="options">Who we are.</param>
/// <param name="door">The way to the control plane.</param>
/// <param name="isReady">False while there is nothing to show at the door.</param>
/// <param name="table">What is kept.</param>
public sealed class NameTableStream(EventLoop loop, AgentOptions options, ControlPlaneDoor door, Func<bool> isReady, DnsTable table)
    : GrpcReceiver
{
    private const string TypeUrl = "type.googleapis.com/istio.networking.nds.v1.NameTable";
    private const string Method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
    private const long FirstWaitMicros = 50_000, LongestWaitMicros = 5_000_000;
    private readonly Again _again = new();
    private GrpcCall? _call;
    private Transport? _transport;
    private long _wait = FirstWaitMicros;

    /// <summary>Begins. On the loop.</summary>
    public void Start()
    {
        _again.Due = Connect;
        Connect();
    }

    /// <inheritdoc/>
    public override void OnMessage(ReadOnlySpan<byte> message)
    {
        try
        {
            DiscoveryResponse response = DiscoveryResponse.Parser.ParseFrom(message);
            if (response.TypeUrl == TypeUrl && response.Resources.Count > 0)
                table.Replace(NameTable.Parser.ParseFrom(response.Resources[0].Value), options.Namespace, options.Domain);
            _wait = FirstWaitMicros;
            _call?.Send(Request(response.VersionInfo, response.Nonce));
        }
        catch (InvalidProtocolBufferException)
        {
            Lost();
        }
    }

    /// <inheritdoc/>
    public override void OnEnd(int status, string message) => Lost();

    private void Connect()
    {
        if (isReady()) door.Connect(new Opening(this));
        else loop.Arm(_again, FirstWaitMicros);
    }

    private void Opened(Transport transport)
    {
        _transport = transport;
        _call = new GrpcCall(new Http2ClientConnection(transport, new Owner(this), new CodecOptions()), "control-plane", Method, [], this);
        _call.Send(Request("", ""));
    }

    // Asked again after a while; until then the last table holds.
    private void Lost()
    {
        _call = null;
        _transport?.Close();
        _transport = null;
        if (_again.IsArmed) return;
        loop.Arm(_again, _wait + loop.Chance.Below((uint)_wait));
        _wait = Math.Min(_wait * 2, LongestWaitMicros);
    }

    private DiscoveryRequest Request(string version, string nonce)
    {
        var request = new DiscoveryRequest { TypeUrl = TypeUrl, VersionInfo = version, ResponseNonce = nonce };
        if (nonce.Length > 0) return request;
        request.Node = new Node { Id = options.NodeId, Cluster = options.Name, Metadata = new Struct() };
        foreach ((string name, string value) in new[]
        {
            ("NAMESPACE", options.Namespace), ("NAME", options.Name), ("SERVICE_ACCOUNT", options.ServiceAccount), ("DNS_CAPTURE", "true"),
            ("CLUSTER_ID", options.Metadata["CLUSTER_ID"]?.ToString() ?? "Kubernetes"),
        }) request.Node.Metadata.Fields[name] = Value.ForString(value);
        return request;
    }

    private sealed class Again : Deadline
    {
        public Action Due { get; set; } = static () => { };

        protected override void OnDue(long now) => Due();
    }

    private sealed class Opening(NameTableStream stream) : TransportHandler
    {
        public override void OnConnected(Transport transport) => stream.Opened(transport);

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason) => stream.Lost();
    }

    private sealed class Owner(NameTableStream stream) : UpstreamConnectionOwner
    {
        public override void OnFree(UpstreamConnection connection)
        {
        }

        public override void OnDraining(UpstreamConnection connection)
        {
        }

        public override void OnClosed(UpstreamConnection connection, CloseReason reason, string detail)
        {
            if (ReferenceEquals(stream._transport, connection.Transport)) stream.Lost();
        }
    }
}
