namespace Lateen.Proxy.Exchanges;

/// <summary>What the overload manager wants of connections: written by the main loop, read by workers.</summary>
public sealed class OverloadSwitches
{
    private volatile bool _refuse, _end;

    /// <summary>Switches that nobody moves.</summary>
    public static OverloadSwitches None { get; } = new();

    /// <summary>New requests are answered at once that we are overloaded.</summary>
    public bool RefuseRequests
    {
        get => _refuse;
        set => _refuse = value;
    }

    /// <summary>Connections end with the answer under way.</summary>
    public bool EndConnections
    {
        get => _end;
        set => _end = value;
    }
}
