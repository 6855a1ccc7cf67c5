namespace Lateen.Test.Rigs.Stage;

/// <summary>The fixed stage: four services, one of them in three versions, and a gateway.</summary>
internal static class Bookinfo
{
    /// <summary>The gateway's service ports and the ports its proxy listens on.</summary>
    public static readonly PortManifest[] GatewayPorts = [new(80, 8080, "http"), new(8081, 8081, "http"), new(443, 8443, "https"),
        new(31400, 31400, "tcp")];

    public static void SetUp(Mesh mesh) => mesh.Together(() =>
    {
        foreach (string name in (string[])["productpage", "details", "ratings", "reviews"])
            mesh.AddService(name, "default", new PortManifest(9080, 9080, "http"));
        mesh.AddService("istio-ingressgateway", "istio-system", GatewayPorts);
        foreach (string name in (string[])["productpage", "details", "ratings", "reviews"]) mesh.AddPod(name, "v1", "default");
        mesh.AddPod("reviews", "v2", "default");
        mesh.AddPod("reviews", "v3", "default");
        mesh.AddGateway("istio-ingressgateway", "istio-system");
    });
}
