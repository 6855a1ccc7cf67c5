using Envoy.Service.Discovery.V3;
using Lateen.Config.Store;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Keys;
using Lateen.ControlPlane.Operator;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Rigs.Stage;

/// <summary>The control plane as a process of the in-memory network: the real control loop behind a small gRPC server. It can die and come
/// back; the store stays, as a disk would.</summary>
internal sealed class ControlPlaneProcess(MemoryHost host, ResourceStore store, TimeProvider time) : Acceptor
{
    private readonly List<Transport> _accepted = [];
    private MemoryLoop _loop = null!;
    private Wake _wake = null!;

    public static int Port => 15010;

    public MemoryHost Host => host;

    /// <summary>The port of those who prove who they are.</summary>
    public static int SecurePort => 15012;

    /// <summary>Signs, and tells who asks; it stays when the process dies, as its keys do.</summary>
    public SecureSide Secure { get; } = new(time);

    /// <summary>What it is configured from; another one takes effect at its next start.</summary>
    public ResourceStore Store { get; set; } = store;

    /// <summary>Faults of its own that it contained, in its words.</summary>
    public List<string> Faults { get; } = [];

    /// <summary>Null while it is away.</summary>
    public ControlLoop? Control { get; private set; }

    /// <summary>Identities that a host has proved; null for those of whom nothing was asked.</summary>
    public Func<Address, IReadOnlyList<string>?> ProvenBy { get; set; } = static _ => null;

    public void Start()
    {
        if (Control is not null) return;
        _loop = host.AddLoop("controlplane");
        _wake = new Wake(this);
        Control = new ControlLoop(new ControlPlaneOptions { StateFolder = "" }, Store, Wiring.Generators(), time.GetUtcNow(), time, Say,
            Fetch);
        _loop.Listen(new ListenOptions(host.Ip.WithPort(Port)), this);
        _loop.Listen(new ListenOptions(host.Ip.WithPort(SecurePort)), Secure.Door(() => Control!));
        Tick();
    }

    /// <summary>Where the control plane fetches the keys of tokens; null for what cannot be had.</summary>
    public Func<KeySetRequest, string?> KeyServer { get; set; } = _ => null;

    private void Fetch(KeySetRequest wanted) => Control!.KeysArrived(wanted.Name, KeyServer(wanted), "nobody answers", time.GetUtcNow());

    public void Stop()
    {
        if (Control is null) return;
        _loop.Kill();
        _accepted.Clear();
        Control = null;
    }

    /// <summary>The store changed by itself.</summary>
    public void Look() => Tick();

    /// <summary>Connections from a host break.</summary>
    public void Break(MemoryHost from)
    {
        foreach (Transport transport in _accepted.Where(transport => transport.Remote.Ip == from.Ip.Ip).ToArray())
            transport.Close(abort: true);
        _accepted.RemoveAll(transport => transport.IsClosed);
    }

    private void Say(string line)
    {
        if (line.StartsWith("error\tfault", StringComparison.Ordinal)) Faults.Add(line);
    }

    public ChangeAnswer Apply(string name, string yaml, string? inNamespace = null)
    {
        ControlLoop control = Control ?? throw new ScenarioException($"{name}: the control plane is away; nothing can be applied");
        ChangeAnswer answer = control.Configuration.Apply(
            new ApplyRequest([new SourceText(name, yaml)], inNamespace, DryRun: false, Author: "scenario"), time.GetUtcNow()).Value!;
        Tick();
        return answer;
    }

    public Answer<ChangeAnswer> Delete(IReadOnlyList<Target> targets, IReadOnlyList<SourceText> sources, string? inNamespace)
    {
        ControlLoop control = Control ?? throw new ScenarioException("the control plane is away; nothing can be deleted");
        Answer<ChangeAnswer> answer = control.Configuration.Delete(
            new DeleteRequest(targets, sources, inNamespace, DryRun: false, IgnoreNotFound: false, Author: "scenario"), time.GetUtcNow());
        Tick();
        return answer;
    }

    /// <summary>Every connected proxy runs what is written, or has refused it.</summary>
    public bool IsSettled => Control is { } control && control.Streams.Generation >= control.Generation
        && control.Streams.Open.All(stream => stream.SettledGeneration >= control.Generation || stream.HasRefused);

    /// <summary>What proxies refused, or would have refused had it been sent, a line each.</summary>
    public IEnumerable<string> Refusals => Control is null ? [] : NotSent().Concat(
        from stream in Control.Streams.Open
        from type in stream.Types
        where type.Value.Error is not null
        select $"{stream.ConnectionId} refused {AdsStreams.ShortName(type.Key)}: {type.Value.Error}");

    private IEnumerable<string> NotSent() => Control!.Hub.HeldOut.Where(held => held.Filter is null)
        .Select(held => $"{AdsStreams.ShortName(held.TypeUrl)} {held.Name} was not sent: {held.Fault}");

    public override void OnAccepted(Transport transport)
    {
        _accepted.Add(transport);
        _ = new Http2ServerConnection(transport, new Calls(this), new CodecOptions());
    }

    private void Tick()
    {
        if (Control?.Tick(time.GetUtcNow()) is not { } next) return;
        _loop.Arm(_wake, Math.Max(1000, (next - time.GetUtcNow()).Ticks / 10));
    }

    private sealed class Wake(ControlPlaneProcess process) : Deadline
    {
        protected override void OnDue(long now) => process.Tick();
    }

    private sealed class Calls(ControlPlaneProcess process) : RequestAcceptor
    {
        public override RequestReceiver OnRequest(DownstreamStream stream) =>
            new DiscoveryCall(process.Control!, stream, time: () => process.Time, process.ProvenBy(stream.Transport.Remote));

        public override void OnConnectionError(string detail, Lateen.Proxy.FailureKind kind)
        {
        }
    }

    private DateTimeOffset Time => time.GetUtcNow();
}
