using System.Net.Sockets;
using Envoy.Config.Core.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.Nds.V1;
using Lateen.Agent.Dns;

namespace Lateen.Agent.Discovery;

/// <summary>Keeps the DNS proxy's table as the control plane has it, over an ADS stream of its own that asks for nothing else.</summary>
public sealed class NameTableStream(AgentOptions options, ControlPlaneDoor door, DnsTable table)
{
    private const string TypeUrl = "type.googleapis.com/istio.networking.nds.v1.NameTable";
    private const string Method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
    private const int FirstWaitMs = 50, LongestWaitMs = 5000;

    /// <summary>Starts the thread that keeps the stream.</summary>
    public void Start() => new Thread(Keep, 256 << 10) { IsBackground = true, Name = "names" }.Start();

    private void Keep()
    {
        for (int wait = FirstWaitMs; ; wait = Math.Min(wait * 2, LongestWaitMs))
        {
            try
            {
                using var call = new GrpcCall(door.Connect(), Method);
                call.Write(Request("", ""));
                call.ReadAll(bytes =>
                {
                    DiscoveryResponse response = DiscoveryResponse.Parser.ParseFrom(bytes.Span);
                    Take(response);
                    call.Write(Request(response.VersionInfo, response.Nonce));
                    wait = FirstWaitMs;
                });
            }
            catch (Exception broken) when (broken is SocketException or InvalidProtocolBufferException)
            {
                // Asked again below; until then the last table holds.
            }
            Thread.Sleep(wait + Random.Shared.Next(wait));
        }
    }

    private void Take(DiscoveryResponse response)
    {
        if (response.TypeUrl != TypeUrl || response.Resources.Count == 0) return;
        table.Replace(NameTable.Parser.ParseFrom(response.Resources[0].Value), options.Namespace, options.Domain);
    }

    private DiscoveryRequest Request(string version, string nonce)
    {
        var request = new DiscoveryRequest { TypeUrl = TypeUrl, VersionInfo = version, ResponseNonce = nonce };
        if (nonce.Length > 0) return request;
        request.Node = new Node { Id = options.NodeId, Cluster = options.Name, Metadata = new Struct() };
        request.Node.Metadata.Fields["NAMESPACE"] = Value.ForString(options.Namespace);
        request.Node.Metadata.Fields["NAME"] = Value.ForString(options.Name);
        request.Node.Metadata.Fields["DNS_CAPTURE"] = Value.ForString("true");
        request.Node.Metadata.Fields["CLUSTER_ID"] = Value.ForString(options.Metadata["CLUSTER_ID"]?.ToString() ?? "Kubernetes");
        return request;
    }
}
