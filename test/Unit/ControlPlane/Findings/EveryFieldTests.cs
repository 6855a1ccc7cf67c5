using Google.Protobuf.Reflection;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Findings;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Findings;

/// <summary>Every field of every kind either changes something, or its author is told that it does not.</summary>
public sealed class EveryFieldTests
{
    // Read as trees of text, not as messages.
    private static readonly Dictionary<string, string> ReadAsTrees = new()
    {
        ["kubernetes.gateway.v1.GatewayInfrastructure.labels"] = "Injector/Gateways",
        ["kubernetes.gateway.v1.GatewayInfrastructure.annotations"] = "Injector/Gateways",
    };

    // Read only to say in the conditions that it is not supported.
    private static readonly HashSet<string> ReadToBeRefused = ["kubernetes.gateway.x.XBackendTrafficPolicySpec.sessionPersistence"];

    private static readonly ILookup<string, string> Reads = FieldReads.Of(
        [typeof(Lateen.Pilot.Meaning.Origin).Assembly, typeof(Lateen.Registry.RegistryView).Assembly,
            typeof(Lateen.Injector.Trees.Quantities).Assembly, typeof(IdleFields).Assembly, typeof(Resource).Assembly],
        reader => !reader.StartsWith("Lateen.ControlPlane.Findings", StringComparison.Ordinal)
            && (!reader.StartsWith("Lateen.Config", StringComparison.Ordinal)
                || reader.StartsWith("Lateen.Config.Resources", StringComparison.Ordinal)));

    [Fact]
    public void A_field_that_nothing_reads_is_in_the_table_of_idle_fields() =>
        Assert.Equal([], Fields().Where(field => !IsRead(field) && !ReadAsTrees.ContainsKey(IdleTable.Name(field))).Select(IdleTable.Name));

    [Fact]
    public void A_field_of_the_table_is_a_field_that_nothing_reads()
    {
        var known = Fields(intoIdle: true).ToDictionary(IdleTable.Name);
        Assert.Equal([],
            IdleTable.Fields.Where(name => !known.TryGetValue(name, out var field) || (IsRead(field) && !ReadToBeRefused.Contains(name))));
    }

    [Fact]
    public void The_scan_sees_what_is_read()
    {
        Assert.Contains("Lateen.Pilot.Generation.Routes.RetryPolicies", Reads["Istio.Networking.V1Alpha3.HTTPRetry.get_Attempts"]);
        Assert.DoesNotContain("Istio.Networking.V1Alpha3.OutlierDetection.get_ConsecutiveErrors", Reads.Select(read => read.Key));
    }

    private static bool IsRead(FieldDescriptor field) =>
        Reads.Contains($"{field.ContainingType.ClrType.FullName}.get_{field.PropertyName}");

    // A status is ours to write. What is inside an idle field is idle with it.
    private static IEnumerable<FieldDescriptor> Fields(bool intoIdle = false)
    {
        var kinds = Kinds.All.Where(kind => kind is { IsConfiguration: true, HasEffect: true }).Select(kind => kind.Message).ToHashSet();
        var seen = new HashSet<MessageDescriptor>();
        var open = new Stack<MessageDescriptor>(kinds);
        while (open.TryPop(out var message))
        {
            if (!seen.Add(message) || message.File.Package.StartsWith("google.protobuf", StringComparison.Ordinal)) continue;
            foreach (var field in message.Fields.InDeclarationOrder().Where(field => field.Name != "status" || !kinds.Contains(message)))
            {
                var isIdle = IdleTable.Reason(field) is not null;
                if (!isIdle || intoIdle) yield return field;
                if (Inside(field) is { } inside && !isIdle) open.Push(inside);
            }
        }
    }

    private static MessageDescriptor? Inside(FieldDescriptor field)
    {
        var of = field.IsMap ? field.MessageType.FindFieldByNumber(2) : field;
        return of.FieldType == FieldType.Message ? of.MessageType : null;
    }
}
