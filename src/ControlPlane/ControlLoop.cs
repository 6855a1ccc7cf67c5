// ControlPlane: the process that takes configuration in and gives xDS out. This project puts Config, Registry and Pilot together and opens
// ports; it decides nothing about meaning. `ControlLoop` is all of its state, without sockets, threads or a clock: it is told what
// happened and what time it is. Hosting runs one under Kestrel; a scenario runs one in memory under a virtual clock.
//
// Ports: Ads (xDS), Operator (the verbs' API), Debug (istiod's debug pages), Metrics. Each has a folder and sees the loop only through
// functions that run on its single writer.
//
// Refused: a lock round shared state (nobody can say what a reader sees), an actor a proxy (a thousand mailboxes to keep in step).
using Google.Protobuf;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Metrics;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane;

/// <summary>The control plane as a value: configuration goes in, responses come out, time is told. One caller at a time.</summary>
public sealed class ControlLoop
{
    /// <summary>Puts a control plane together.</summary>
    public ControlLoop(PushHub hub, PilotMetrics metrics)
    {
        Hub = hub;
        Metrics = metrics;
        Streams = new AdsStreams(hub, metrics);
    }

    /// <summary>Sessions and the newest snapshot.</summary>
    public PushHub Hub { get; }

    /// <summary>Counts.</summary>
    public PilotMetrics Metrics { get; }

    /// <summary>Open streams.</summary>
    public AdsStreams Streams { get; }

    /// <summary>Does what is due.</summary>
    /// <returns>When to be called next, if nothing happens before; null for never.</returns>
    public DateTimeOffset? Tick(DateTimeOffset now)
    {
        return null;
    }
}
