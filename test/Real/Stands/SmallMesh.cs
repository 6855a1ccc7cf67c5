namespace Lateen.Test.Real.Stands;

/// <summary>A small mesh: two versions of one service behind a gateway, and a second service that calls nobody.</summary>
internal static class SmallMesh
{
    /// <summary>Its YAML.</summary>
    public static string Yaml { get; } = string.Join("---\n", Service("ratings"), Deployment("ratings", "v1"), Deployment("ratings", "v2"),
        Service("details"), Deployment("details", "v1"), Gateway, Route());

    /// <summary>The way in.</summary>
    public const string Gateway = """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata:
          name: edge
        spec:
          selector:
            istio: ingressgateway
          servers:
          - port:
              number: 80
              name: http
              protocol: HTTP
            hosts:
            - "*"

        """;

    /// <summary>The two versions as subsets.</summary>
    public const string Subsets = """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata:
          name: ratings
        spec:
          host: ratings
          subsets:
          - name: v1
            labels:
              version: v1
          - name: v2
            labels:
              version: v2

        """;

    /// <summary>The edge's route to every version, or to subsets by weights.</summary>
    public static string Route(params (string Subset, int Weight)[] shares) => """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata:
          name: edge
        spec:
          hosts:
          - "*"
          gateways:
          - edge
          http:
          - match:
            - uri:
                exact: /ratings/0
            route:

        """ + (shares.Length == 0 ? Share("", 100) : string.Concat(shares.Select(share => Share(share.Subset, share.Weight))));

    private static string Share(string subset, int weight) =>
        $"    - destination:\n        host: ratings\n        port:\n          number: "
        + $"9080\n{(subset.Length > 0 ? $"        subset: {subset}\n" : "")}      weight: {weight}\n";

    public static string Service(string name) =>
        $"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector:\n    app: {name}\n  ports:\n  - name: http\n    "
        + $"port: 9080\n";

    public static string Deployment(string name, string version, string command = "bookinfo") => $"""
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: {name}-{version}
        spec:
          replicas: 1
          selector:
            matchLabels:
              app: {name}
              version: {version}
          template:
            metadata:
              labels:
                app: {name}
                version: {version}
            spec:
              containers:
              - name: {name}
                image: local
                command: [{command}]
                args: [{name}]
                ports:
                - containerPort: 9080

        """;
}
