using Lateen.Proxy.Net;

namespace Lateen.Test.Rigs.Stage;

/// <summary>Calls of one application at a steady pace, made by the network's clock while the scenario goes on.</summary>
internal sealed class CallStream : Deadline
{
    private readonly Mesh _mesh;
    private readonly Pod _from;
    private readonly Func<Address> _to;
    private readonly CallRequest _request;
    private readonly long _everyMicros;
    private readonly List<Call> _calls;
    private int _left;

    public CallStream(Mesh mesh, Pod from, Func<Address> to, CallRequest request, int times, long everyMicros, List<Call> calls)
    {
        (_mesh, _from, _to, _request, _left, _everyMicros, _calls) = (mesh, from, to, request, times, everyMicros, calls);
        from.Application!.Loop.Arm(this, everyMicros);
    }

    public bool IsOver => _left == 0;

    protected override void OnDue(long now)
    {
        _calls.Add(_mesh.Call(_from.Application!.Loop, _to(), _request, _from));
        if (--_left > 0) _from.Application.Loop.Arm(this, _everyMicros);
    }
}
