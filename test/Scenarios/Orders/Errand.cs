using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Test.Rigs.Stage;

namespace Lateen.Test.Scenarios.Orders;

/// <summary>A kind of request: who asks for what, and what may come back in which state.</summary>
/// <remarks>
/// Three pictures bear on an answer, and each may be of another moment: that of the proxy that chooses (routes and clusters), that of the
/// proxy that lets in (policies), and which endpoints are ready, which travels by itself. Where everybody has one picture, there is one
/// answer.
/// </remarks>
internal abstract class Errand
{
    public const string OtherAddress = "10.96.7.7", FarAddress = "203.0.113.7", FarHost = "far.example.com", EdgeHost = "edge.example.com",
        ApiHost = "api.example.com";

    /// <summary>Every kind.</summary>
    public static readonly Errand[] All = [new ToBack("plain", "/"), new ToBack("closed", "/closed"), new ToBack("token", "/"),
        new ToBackTcp(), new ToOther(), new ToFar(), new AtEdge("edge", isSecure: false), new AtEdge("secure", isSecure: true), new AtApi(),
        new ToFront()];

    protected Errand(string word) => Word = word;

    public string Word { get; }

    public override string ToString() => Word;

    /// <summary>The pod whose proxy chooses.</summary>
    public virtual Pod Chooser(Mesh mesh) => mesh.Pods[0];

    /// <summary>Pods without whose proxies there is no answer.</summary>
    public virtual IEnumerable<Pod> Carriers(Mesh mesh) => [Chooser(mesh)];

    /// <summary>Who asks, where, and what.</summary>
    public abstract (MemoryLoop From, Address To, CallRequest Request) Ask(Mesh mesh, bool isHttp2);

    /// <summary>It has to be answered by an application (or refused by its policy), when the chooser's picture is <paramref name="chosen"/>
    /// and these endpoints are ready.</summary>
    public abstract bool IsWhole(Written chosen, Written ready);

    /// <summary>An answer of an application, or a refusal by policy, that these pictures give.</summary>
    public abstract bool IsOf(Call call, Written chosen, Written letIn);

    /// <summary>An answer that is neither: some proxy had nobody to ask.</summary>
    public bool IsLost(Call call) => call.Broken is not null || (call.App.Length == 0 && call.Status is not (200 or 401 or 403));

    protected static string VersionOf(Call call) => call.App.Length > 2 ? call.App[^2..] : "";

    protected static string Told(Call call, string header) => call.Head.Find(header) ?? "";

    // Subsets that a route names have to be defined, and somebody in each has to be ready.
    protected static bool Leads(string form, Written chosen, Written ready) =>
        form is "" or "any" ? ready.Ready.Length > 0
            : form.Split('+').All(version => chosen.Subsets.Contains(version) && ready.Ready.Contains(version));

    protected static bool Names(string form, string version) => form is "" or "any" || form.Split('+').Contains(version);

    private sealed class ToBack(string word, string path) : Errand(word)
    {
        public override (MemoryLoop From, Address To, CallRequest Request) Ask(Mesh mesh, bool isHttp2) =>
            (mesh.Pods[0].Application!.Loop, mesh.Resolve("back", 9080),
                new CallRequest("GET", path, "back:9080", Word == "token" ? [("authorization", "Bearer a.b.c")] : [], isHttp2));

        public override bool IsWhole(Written chosen, Written ready) => chosen.IsVisible && Leads(chosen.Form("route"), chosen, ready);

        public override bool IsOf(Call call, Written chosen, Written letIn)
        {
            if (!chosen.IsVisible || Told(call, "x-marker") != chosen.Marker("route")
                || Told(call, "x-filter") != (chosen.Form("filter") == "host" ? "f" + chosen.Marker("filter") : "")) return false;
            if (Word == "token" && letIn.Has("tokens")) return call.Status == 401;
            if (Word == "closed" && letIn.Form("policy") is "deny" or "only") return call.Status == 403;
            return call.Status == 200 && Names(chosen.Form("route"), VersionOf(call));
        }
    }

    private sealed class ToBackTcp() : Errand("bytes")
    {
        public override (MemoryLoop From, Address To, CallRequest Request) Ask(Mesh mesh, bool isHttp2) =>
            (mesh.Pods[0].Application!.Loop, mesh.Resolve("back", 9081), new CallRequest("", "", "", [], Raw: "hello"));

        // A policy that speaks of paths refuses bytes that have none.
        public override bool IsWhole(Written chosen, Written ready) =>
            chosen.IsVisible && chosen.Form("policy") is "" or "open" && ready.Form("policy") is "" or "open";

        public override bool IsOf(Call call, Written chosen, Written letIn) => chosen.IsVisible && call.Status == 200;
    }

    private sealed class ToOther() : Errand("other")
    {
        public override (MemoryLoop From, Address To, CallRequest Request) Ask(Mesh mesh, bool isHttp2)
        {
            Address.TryParse(OtherAddress, 9080, out Address to);
            return (mesh.Pods[0].Application!.Loop, to, new CallRequest("GET", "/", "other:9080", [], isHttp2));
        }

        public override bool IsWhole(Written chosen, Written ready) => chosen.IsVisible && chosen.Has("service") && ready.Has("slice");

        public override bool IsOf(Call call, Written chosen, Written letIn) =>
            chosen.IsVisible && call.Status == 200 && chosen.Has("service") && Told(call, "x-marker") == chosen.Marker("other route");
    }

    private sealed class ToFar() : Errand("far")
    {
        public override (MemoryLoop From, Address To, CallRequest Request) Ask(Mesh mesh, bool isHttp2) =>
            (mesh.Pods[0].Application!.Loop, mesh.Resolve(FarHost, 9080), new CallRequest("GET", "/", FarHost + ":9080", [], isHttp2));

        // What nobody named is let out, and no route holds for it.
        public override bool IsWhole(Written chosen, Written ready) => chosen.Form("entry") != "chosen" || ready.Has("workload");

        public override bool IsOf(Call call, Written chosen, Written letIn) =>
            call.Status == 200 && Told(call, "x-marker") == (chosen.IsVisible && chosen.Has("entry") ? chosen.Marker("far route") : "");
    }

    private sealed class AtEdge(string word, bool isSecure) : Errand(word)
    {
        public override Pod Chooser(Mesh mesh) => mesh.Pods[3];

        public override (MemoryLoop From, Address To, CallRequest Request) Ask(Mesh mesh, bool isHttp2) =>
            (mesh.Outside, mesh.Pods[3].Host.Ip.WithPort(isSecure ? 8443 : 8080),
                new CallRequest("GET", "/", EdgeHost, [], isHttp2) { Tls = isSecure ? new CallTls(EdgeHost) : null });

        public override bool IsWhole(Written chosen, Written ready) => IsOpen(chosen) && (!isSecure || chosen.Has("secret"))
            && chosen.Has("edge route") && Leads(chosen.Form("edge route"), chosen, ready);

        public override bool IsOf(Call call, Written chosen, Written letIn) =>
            IsOpen(chosen) && call.Status == 200 && chosen.Has("edge route") && Told(call, "x-marker") == chosen.Marker("edge route")
                && Names(chosen.Form("edge route"), VersionOf(call));

        // A proxy goes on with the certificate that it has when the secret is taken away.
        private bool IsOpen(Written chosen) => chosen.Form("gateway") == "both" || chosen.Form("gateway") == (isSecure ? "https" : "http");
    }

    private sealed class AtApi() : Errand("api")
    {
        public override Pod Chooser(Mesh mesh) => mesh.Pods[3];

        public override (MemoryLoop From, Address To, CallRequest Request) Ask(Mesh mesh, bool isHttp2) =>
            (mesh.Outside, mesh.Pods[3].Host.Ip.WithPort(8081), new CallRequest("GET", "/", ApiHost, [], isHttp2));

        public override bool IsWhole(Written chosen, Written ready) => chosen.Has("api gateway") && chosen.Has("api route");

        public override bool IsOf(Call call, Written chosen, Written letIn) =>
            IsWhole(chosen, letIn) && call.Status == 200 && Told(call, "x-marker") == chosen.Marker("api route");
    }

    private sealed class ToFront() : Errand("home")
    {
        public override Pod Chooser(Mesh mesh) => mesh.Pods[1];

        public override IEnumerable<Pod> Carriers(Mesh mesh) => [mesh.Pods[0], mesh.Pods[1]];

        public override (MemoryLoop From, Address To, CallRequest Request) Ask(Mesh mesh, bool isHttp2) =>
            (mesh.Pods[1].Application!.Loop, mesh.Resolve("front", 9080), new CallRequest("GET", "/", "front:9080", [], isHttp2));

        public override bool IsWhole(Written chosen, Written ready) => chosen.IsVisible;

        public override bool IsOf(Call call, Written chosen, Written letIn) =>
            chosen.IsVisible && call.Status == 200 && Told(call, "x-marker") == chosen.Marker("home route");
    }
}
