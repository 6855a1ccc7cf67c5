using System.Text.Json.Nodes;
using Lateen.Cli.Network;

namespace Lateen.Cli.Up;

/// <summary>The virtual addresses of Services. One that was given stays with its Service over restarts.</summary>
internal sealed class ServiceAddresses(Subnet subnet, JsonObject memory)
{
    private readonly JsonObject _numbers = memory["services"] as JsonObject ?? Fresh(memory);

    public string Of(string service)
    {
        if (_numbers[service] is null) _numbers[service] = _numbers.Select(n => n.Value!.GetValue<long>()).DefaultIfEmpty(-1L).Max() + 1;
        return subnet.Service((int)_numbers[service]!.GetValue<long>()).ToString();
    }

    private static JsonObject Fresh(JsonObject memory)
    {
        var numbers = new JsonObject();
        memory["services"] = numbers;
        return numbers;
    }
}
