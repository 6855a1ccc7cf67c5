using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Kubernetes.Meta.V1;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.GatewayApi;
using Lateen.Registry;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.GatewayApi;

/// <summary>Plays <c>gateway-conversion</c>: manifests of the Gateway API to Gateways, VirtualServices and DestinationRules, and the status
/// of every object.</summary>
public sealed class GatewayConversionRunner : RowsRunner
{
    private string _path = "";
    private ConversionFixture _fixture = null!;

    /// <inheritdoc/>
    public override string Folder => "gateway-conversion";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        _path = path;
        _fixture = new ConversionFixture(Path.Combine(path, "fixture.json"));
        return base.Run(path).Where(result => result.Name != "fixture.json");
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", Case);

    private string? Case(JsonElement row)
    {
        IReadOnlyList<Resource> written = ConversionFixture.Decode(Read(row.Text("in")));
        // The recorded cluster had a namespace for each that an object is in, labelled with the first part of its name.
        string namespaces = string.Join("---\n", written.Select(r => r.Namespace).Where(ns => ns.Length > 0).Distinct()
            .Select(
                ns =>
                    $"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {ns}\n  labels:\n    istio.io/test-name-part: {ns.Split('-')[0]}\n"));
        IReadOnlyList<Resource> own = [.. written, .. ConversionFixture.Decode(namespaces).Where(ns => written.All(w => w.Key != ns.Key))];
        RegistryView registry = _fixture.Registry(own);
        GatewayApiInputs inputs = SnapshotResources.Of("case", registry, Tables.Rows.Settings(), [.. _fixture.Objects, .. own]).GatewayApi;
        GatewayApiResources made = new GatewayApiConverter().Convert(inputs, registry, _fixture.DomainSuffix);
        IEnumerable<Resource> resources = made.Gateways.Cast<Resource>().Concat(made.VirtualServices).Concat(made.DestinationRules);
        return Objects([.. resources], ConversionFixture.Golden(Read(row.Text("want"))))
            ?? Statuses(made.Statuses(registry).ToDictionary(s => $"{s.Kind.Name} {s.Namespace}/{s.Name}", s => s.Content),
                ConversionFixture.Decode(Read(row.Text("wantStatus"))));
    }

    /// <summary>The first difference between two sets of objects.</summary>
    public static string? Objects(IReadOnlyList<Resource> have, IReadOnlyList<Resource> want)
    {
        foreach (Resource expected in want)
        {
            Resource? found = have.FirstOrDefault(candidate => candidate.Key == expected.Key);
            if (found is null)
                return $"{expected.Key}: missing; there "
                    + $"are {string.Join(", ", have.Where(h => h.Kind == expected.Kind).Select(h => h.Name))}";
            if (!found.Message.Equals(expected.Message)) return $"{expected.Key}: have {found.Message}, want {expected.Message}";
            string Annotations(Resource resource) =>
                string.Join("; ", resource.Annotations.OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => $"{a.Key}={a.Value}"));
            if (Annotations(found) != Annotations(expected))
                return $"{expected.Key}: annotations: have {Annotations(found)}, want {Annotations(expected)}";
        }
        return have.FirstOrDefault(candidate => want.All(expected => expected.Key != candidate.Key)) is { } more
            ? $"{more.Key}: not wanted" : null;
    }

    private static string? Statuses(Dictionary<string, IMessage> have, IReadOnlyList<Resource> want)
    {
        foreach (Resource expected in want)
        {
            string name = $"{expected.Kind.Name} {expected.Namespace}/{expected.Name}";
            IMessage? status = Status(expected);
            if (!have.Remove(name, out IMessage? found)) return $"{name}: no status, want {status}";
            Timeless(found);
            if (status is null) continue;
            Timeless(status);
            if (!found.Equals(status)) return $"{name}: status: have {found}, want {status}";
        }
        return have.Count > 0 ? $"{have.First().Key}: status not wanted: {have.First().Value}" : null;
    }

    private static IMessage? Status(Resource resource) =>
        resource.Kind.Message.FindFieldByName("status") is { } field ? (IMessage?)field.Accessor.GetValue(resource.Message) : null;

    // When a condition changed is the writer's matter.
    private static void Timeless(IMessage message)
    {
        if (message is Condition condition) condition.LastTransitionTime = null;
        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder()
            .Where(f => f.FieldType == FieldType.Message && !f.IsMap))
        {
            if (field.IsRepeated) foreach (IMessage item in ((System.Collections.IList)field.Accessor.GetValue(message)).Cast<IMessage>())
                Timeless(item);
            else if (field.Accessor.GetValue(message) is IMessage inner) Timeless(inner);
        }
    }

    private string Read(string file) => File.ReadAllText(Path.Combine(_path, file));
}
