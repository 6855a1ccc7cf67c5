using System.Collections;
using System.Reflection;
using System.Text;
using Lateen.Registry;
using Xunit;

namespace Lateen.Test.Unit.Registry;

/// <summary>What is worked into the last view is what a compilation of everything comes to, whatever changes in whatever order.</summary>
public sealed class RegistryStepsTests
{
    private const int Steps = 60;

    [Theory]
    [MemberData(nameof(Seeds))]
    public void After_any_changes_the_view_is_that_of_a_fresh_start(int seed)
    {
        var world = new RegistryWorld(seed);
        var options = new RegistryOptions();
        var compiler = new RegistryCompiler(options);
        for (var step = 0; step < Steps; step++)
        {
            world.Step();
            var (followed, fresh) = (compiler.Compile(world.Resources), new RegistryCompiler(options).Compile(world.Resources));
            Assert.Equal(Text(fresh), Text(followed));
        }
    }

    [Fact]
    public void Most_changes_of_services_pods_and_slices_are_worked_in()
    {
        var (world, compiler) = (new RegistryWorld(7), new RegistryCompiler(new RegistryOptions()));
        var (last, workedIn) = (RegistryView.Empty, 0);
        for (var step = 0; step < 300; step++)
        {
            world.Step();
            var next = compiler.Compile(world.Resources);
            // Only a whole compilation looks at nodes.
            if (ReferenceEquals(next.Nodes, last.Nodes)) workedIn++;
            last = next;
        }
        Assert.True(workedIn > 60, $"only {workedIn} of 300 changes were worked in");
    }

    public static TheoryData<int> Seeds() => [.. Enumerable.Range(1, 40)];

    private static string Text(RegistryView view)
    {
        var text = new StringBuilder();
        Write(text, view.Services, "services");
        foreach (var pair in view.ByHost.OrderBy(pair => pair.Key, StringComparer.Ordinal)) Write(text, pair.Value, pair.Key);
        foreach (var pair in view.Endpoints.OrderBy(pair => pair.Key.ToString(), StringComparer.Ordinal))
            Write(text, pair.Value, pair.Key.ToString());
        foreach (var pair in view.WorkloadsByAddress.OrderBy(pair => pair.Key, StringComparer.Ordinal)) Write(text, pair.Value, pair.Key);
        Write(text, view.NetworkGateways, "gateways");
        Write(text, view.Namespaces, "namespaces");
        Write(text, view.Nodes, "nodes");
        text.Append(view.ByHost.Count).Append(' ').Append(view.Endpoints.Count).Append(' ').Append(view.WorkloadsByAddress.Count);
        return text.ToString();
    }

    // Every property, by name; sets and maps in order of their texts.
    private static void Write(StringBuilder text, object? value, string name)
    {
        text.Append(name).Append(": ").Append(value switch
        {
            null => "null",
            string or ValueType when value is not IEnumerable || value is string => value.ToString(),
            _ => "",
        }).Append('\n');
        if (value is null or string || value is ValueType and not IEnumerable) return;
        if (value is IEnumerable many)
        {
            var parts = many.Cast<object>().Select(item =>
            {
                var part = new StringBuilder();
                Write(part, item, "-");
                return part.ToString();
            });
            var isOrdered = value.GetType().GetInterfaces().All(type => !type.Name.StartsWith("IReadOnlySet", StringComparison.Ordinal)
                && !type.Name.StartsWith("IReadOnlyDictionary", StringComparison.Ordinal));
            foreach (var part in isOrdered ? parts : parts.Order(StringComparer.Ordinal)) text.Append(part);
            return;
        }
        foreach (var property in value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
            Write(text, property.GetValue(value), property.Name);
    }
}
