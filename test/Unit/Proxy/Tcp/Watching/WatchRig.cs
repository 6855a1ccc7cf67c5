using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Tcp;
using Lateen.Test.Unit.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tcp.Watching;

/// <summary>A client, a proxy with one network filter in front of its TCP proxy, and a server, on an in-memory network.</summary>
internal sealed class WatchRig
{
    private readonly TcpRig _rig = new("db");
    private readonly Probe _client = new();
    private readonly Ends _ends = new();

    public WatchRig(Func<StatStore, NetworkFilterFactory> filter)
    {
        _rig.Serve(filter(Stats), _ends);
        _client.Transport = _rig.Client.Connect(new ConnectOptions(TcpRig.ProxyAt), _client);
    }

    public StatStore Stats { get; } = new(1);

    /// <summary>The session; null before it is there.</summary>
    public TcpSession? Session => _ends.Session;

    /// <summary>Virtual time.</summary>
    public long Now => _rig.Network.Now;

    /// <summary>The client sends bytes in pieces, and the server gets them as they are.</summary>
    public void Ask(byte[] bytes, int piece = int.MaxValue)
    {
        int before = Heard;
        for (int at = 0; at < bytes.Length; at = at + piece < 0 ? bytes.Length : at + piece)
        {
            _client.Transport!.Send(bytes.AsSpan(at, Math.Min(piece, bytes.Length - at)));
            int until = before + Math.Min(bytes.Length, at + Math.Min(piece, bytes.Length - at));
            Assert.True(_rig.Network.RunUntil(() => Heard == until, 20_000_000));
        }
    }

    /// <summary>The server sends bytes in pieces.</summary>
    public void Answer(byte[] bytes, int piece = int.MaxValue)
    {
        Assert.True(_rig.Network.RunUntil(() => _rig.Backends.Accepted.Count > 0, 20_000_000));
        int before = (int)_client.Received.Length;
        for (int at = 0; at < bytes.Length; at = at + piece < 0 ? bytes.Length : at + piece)
        {
            _rig.Backends.Accepted[0].Transport!.Send(bytes.AsSpan(at, Math.Min(piece, bytes.Length - at)));
            int until = before + Math.Min(bytes.Length, at + Math.Min(piece, bytes.Length - at));
            Assert.True(_rig.Network.RunUntil(() => (int)_client.Received.Length == until, 20_000_000));
        }
    }

    /// <summary>The client goes.</summary>
    public void Leave()
    {
        _client.Transport!.Close(abort: true);
        Assert.True(_rig.Network.RunUntil(() => _ends.IsOver, 20_000_000));
    }

    /// <summary>What is counted under a name; 0 for a name that there is not.</summary>
    public long this[string name]
    {
        get
        {
            Stats.Flush();
            foreach (StatSeries series in Stats.All())
            {
                if (series.Name == name)
                    return series.Value;
            }
            return 0;
        }
    }

    private int Heard => _rig.Backends.Accepted.Count == 0 ? 0 : (int)_rig.Backends.Accepted[0].Received.Length;

    private sealed class Ends : NetworkFilterFactory
    {
        public TcpSession? Session { get; private set; }

        public bool IsOver { get; private set; }

        public override NetworkFilter Create(TcpSession session)
        {
            Session = session;
            return new End(this);
        }

        private sealed class End(Ends ends) : NetworkFilter
        {
            public override void OnEnd(TcpSession session) => ends.IsOver = true;
        }
    }
}
