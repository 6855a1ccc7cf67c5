using System.Text.RegularExpressions;
using Lateen.Test.Rigs.Stage;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Scenarios.Steps;

/// <summary>What goes wrong, and how it is mended.</summary>
internal static class FaultSteps
{
    private const string Who = @"(?<who>[a-z][a-z0-9.-]*(?: v\d+)?)";
    private const string Times = @"(?: (?<times>\d+) times)?";

    public static readonly Step[] All =
    [
        new("the control plane stops", (play, _, _) => play.Mesh.ControlPlane.Stop()),
        new("the control plane starts", (play, _, _) =>
        {
            play.Mesh.ControlPlane.Start();
            play.Mesh.Settle();
        }),
        new("the network between the control plane and " + Who + " is cut",
            (play, m, _) => { foreach (Pod pod in play.Mesh.Find(m.Groups["who"].Value))
                play.Mesh.Network.Partition(play.Mesh.ControlPlaneHost, pod.Host); }),
        new("the network between the control plane and " + Who + " is joined", (play, m, _) =>
        {
            foreach (Pod pod in play.Mesh.Find(m.Groups["who"].Value)) play.Mesh.Network.Heal(play.Mesh.ControlPlaneHost, pod.Host);
            play.Mesh.Settle();
        }),
        new(@"the network takes (?<amount>[\d.]+) (?<unit>ms|s) one way",
            (play, m, _) => play.Mesh.Network.LatencyMicros = TrafficSteps.Micros(m)),
        new(Who + " stops", (play, m, _) => Each(play, m, application => application.Stop())),
        new(Who + " starts", (play, m, _) => Each(play, m, application => application.Start())),
        new("the proxy of " + Who + " stops",
            (play, m, _) => { foreach (Pod pod in play.Mesh.Find(m.Groups["who"].Value)) pod.StopProxy(); }),
        new("the proxy of " + Who + " starts", (play, m, _) =>
        {
            foreach (Pod pod in play.Mesh.Find(m.Groups["who"].Value)) pod.StartProxy();
            play.Mesh.Settle();
        }),
        new(Who + " is not ready", (play, m, _) => Ready(play, m, false)),
        new(Who + " is ready", (play, m, _) => Ready(play, m, true)),
        new(Who + @" answers (?<status>\d{3})" + Times,
            (play, m, _) => Each(play, m, application => Behave(application, m, Manner.Answer, int.Parse(m.Groups["status"].Value)))),
        new(Who + @" answers with header (?<name>\S+): (?<value>.+)",
            (play, m, _) => Each(play, m, application => application.Extra.Add((m.Groups["name"].Value, m.Groups["value"].Value)))),
        new(Who + " resets" + Times, (play, m, _) => Each(play, m, application => Behave(application, m, Manner.Reset, 200))),
        new(Who + " never answers" + Times, (play, m, _) => Each(play, m, application => Behave(application, m, Manner.Silent, 200))),
        new(Who + " closes mid-answer" + Times,
            (play, m, _) => Each(play, m, application => Behave(application, m, Manner.CloseMidAnswer, 200))),
        new(Who + @" is slow (?<amount>[\d.]+) (?<unit>ms|s)",
            (play, m, _) => Each(play, m, application => application.DelayMicros = TrafficSteps.Micros(m))),
        new(Who + " is well again", (play, m, _) => Each(play, m, application =>
        {
            (application.DelayMicros, application.Times, application.Status, application.Manner) = (0, -1, 200, Manner.Answer);
            application.Start();
        })),
    ];

    private static void Each(Play play, Match m, Action<Application> act)
    {
        string who = m.Groups["who"].Value;
        if (play.Mesh.External.TryGetValue(who, out Application? external)) act(external);
        else foreach (Pod pod in play.Mesh.Find(who)) act(pod.Application ?? throw new ScenarioException($"{who} has no application"));
    }

    private static void Ready(Play play, Match m, bool ready)
    {
        foreach (Pod pod in play.Mesh.Find(m.Groups["who"].Value)) pod.IsReady = ready;
        play.Mesh.WriteEndpoints();
        play.Mesh.Settle();
    }

    private static void Behave(Application application, Match m, Manner manner, int status) =>
        (application.Manner, application.Status, application.Times) =
            (manner, status, m.Groups["times"].Success ? int.Parse(m.Groups["times"].Value) : -1);
}
