using System.Globalization;

namespace Lateen.Test.Scenarios.Orders;

/// <summary>One step of a plan. It holds all the chance that it needs, so that leaving another one out changes nothing in it.</summary>
internal abstract record Act;

/// <summary>Objects are written and deleted, as one change.</summary>
internal sealed record Write(IReadOnlyList<Change> Changes) : Act
{
    public override string ToString() => "write " + string.Join(", ", Changes);
}

/// <summary>Requests begin.</summary>
internal sealed record Begin(Errand Errand, int Times, long EveryMicros, bool IsHttp2) : Act
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture,
            $"ask {Errand}{(IsHttp2 ? " over HTTP/2" : "")} {Times} times, one every {EveryMicros} us");
}

/// <summary>Time passes.</summary>
internal sealed record Pass(long Micros) : Act
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Micros} us pass");
}

/// <summary>Something goes wrong, or well again.</summary>
/// <param name="What">What.</param>
/// <param name="Whom">Which pod, replica or amount; what it means is the accident's.</param>
internal sealed record Mishap(Accident What, uint Whom) : Act
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{What} {Whom}");
}

/// <summary>All is mended, and what everybody holds is looked at.</summary>
internal sealed record Rest : Act
{
    public override string ToString() => "all is mended and quiet";
}

/// <summary>What can go wrong.</summary>
internal enum Accident
{
    /// <summary>A replica of the control plane dies at once.</summary>
    ReplicaDies,

    /// <summary>It comes back, and reads everything anew in another order.</summary>
    ReplicaComesBack,

    /// <summary>A pod is cut off from a replica.</summary>
    Cut,

    /// <summary>All cuts are joined.</summary>
    Join,

    /// <summary>A pod's connections to the control plane break.</summary>
    StreamBreaks,

    /// <summary>A replica sends its oldest stream elsewhere.</summary>
    StreamIsSentOn,

    /// <summary>The network delays and cuts up what it carries.</summary>
    Slow,

    /// <summary>The network is well again.</summary>
    Fast,

    /// <summary>Applications take their time.</summary>
    LateAnswers,

    /// <summary>The proxy of the caller, or of the gateway, dies and begins anew.</summary>
    ProxyRestarts,
}
