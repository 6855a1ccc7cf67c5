namespace Lateen.Test.Scenarios;

/// <summary>The rules of tests in which a route to <c>back</c> moves from one version to another.</summary>
internal static class ChosenSubset
{
    /// <summary>A subset that holds one version alone, and a route to it.</summary>
    public static string Yaml(string subset, int version) => $"""
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata:
          name: back
        spec:
          host: back
          subsets:
          - name: {subset}
            labels:
              version: v{version}
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata:
          name: back
        spec:
          hosts: [back]
          http:
          - route:
            - destination:
                host: back
                subset: {subset}
        """;
}
