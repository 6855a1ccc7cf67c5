using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace Lateen.Test.Real.Planes;

/// <summary>Somebody who applies and deletes pairs of objects, one change after the other, and remembers what was acknowledged.</summary>
/// <remarks>Both objects of a pair carry the number of their change: a pair with two numbers, or with one object, is half a
/// change.</remarks>
internal sealed class PairWriter(int id, int seed)
{
    private const int Pairs = 4, Deletes = 4;
    private readonly Random _chance = new(seed);
    private readonly int[] _acknowledged = new int[Pairs];
    private (int Pair, int Number)? _unanswered;
    private int _last;

    /// <summary>Changes that were answered with yes.</summary>
    public int Count { get; private set; }

    /// <summary>Changes until the control plane is gone.</summary>
    public async Task RunAsync(HttpClient operators)
    {
        while (true)
        {
            int pair = _chance.Next(Pairs), number = _acknowledged[pair] > 0 && _chance.Next(Deletes) == 0 ? 0 : ++_last;
            _unanswered = (pair, number);
            try
            {
                using HttpResponseMessage answer = await operators.PostAsJsonAsync(number == 0 ? "delete" : "apply", Change(pair, number));
                JsonNode? told = JsonNode.Parse(await answer.Content.ReadAsStringAsync());
                Assert.True((bool?)told?["accepted"], told?.ToJsonString());
            }
            catch (Exception cut) when (cut is HttpRequestException or IOException or OperationCanceledException)
            {
                return;
            }
            (_acknowledged[pair], _unanswered) = (number, null);
            Count++;
        }
    }

    /// <summary>Compares what is there now with what was acknowledged; what was not answered may be there or not, and counts from now on
    /// as it is.</summary>
    /// <param name="numbers">The number that an object of a kind carries; 0 where there is none.</param>
    public void Verify(Func<string, string, int> numbers)
    {
        for (int pair = 0; pair < Pairs; pair++)
        {
            int route = numbers("VirtualService", Name(pair)), rule = numbers("DestinationRule", Name(pair));
            Assert.True(route == rule, $"{Name(pair)} is there by half: its route is of change {route}, its rule of change {rule}");
            bool isUnanswered = _unanswered is { } change && change == (pair, route);
            Assert.True(route == _acknowledged[pair] || isUnanswered,
                $"{Name(pair)} is of change {route}; acknowledged was {_acknowledged[pair]}, unanswered {_unanswered}");
            _acknowledged[pair] = route;
        }
        _unanswered = null;
    }

    /// <summary>YAML of what was acknowledged.</summary>
    public IEnumerable<string> Written() =>
        Enumerable.Range(0, Pairs).Where(pair => _acknowledged[pair] > 0).Select(pair => Yaml(pair, _acknowledged[pair]));

    /// <summary>The services that the objects are about.</summary>
    public string Services() => string.Join("---\n", Enumerable.Range(0, Pairs).Select(pair => $$"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: {{Name(pair)}} }
        spec:
          hosts: [{{Name(pair)}}.example.com]
          ports: [{number: 80, name: http, protocol: HTTP}]
          resolution: STATIC
          endpoints: [{address: 192.0.2.{{id}}, labels: {app: a} }]

        """));

    private object Change(int pair, int number)
    {
        object[] sources = [new { name = "pair.yaml", text = Yaml(pair, Math.Max(number, 1)) }];
        return number == 0
            ? new { targets = Array.Empty<object>(), sources, dryRun = false, ignoreNotFound = false }
            : new { sources, dryRun = false };
    }

    private string Name(int pair) => string.Create(CultureInfo.InvariantCulture, $"w{id}-{pair}");

    private string Yaml(int pair, int number) => $$"""
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: {{Name(pair)}}, annotations: {number: "{{number}}"} }
        spec:
          hosts: [{{Name(pair)}}.example.com]
          http: [{name: n{{number}}, route: [{destination: {host: {{Name(pair)}}.example.com, subset: n{{number}} } }] }]
        ---
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: {{Name(pair)}}, annotations: {number: "{{number}}"} }
        spec: {host: {{Name(pair)}}.example.com, subsets: [{name: n{{number}}, labels: {app: a} }] }

        """;
}
