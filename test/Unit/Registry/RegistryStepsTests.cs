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
    public void Most_changes_are_worked_in()
    {
        var (world, compiler) = (new RegistryWorld(7), new RegistryCompiler(new RegistryOptions()));
        var (last, workedIn) = (RegistryView.Empty, 0);
        for (var step = 0; step < 300; step++)
        {
            world.Step();
            var next = compiler.Compile(world.Resources);
            if (IsWorkedInto(last, next)) workedIn++;
            last = next;
        }
        Assert.True(workedIn > 150, $"only {workedIn} of 300 changes were worked in");
    }

    [Fact]
    public void An_entry_whose_endpoints_change_keeps_its_services_and_those_of_the_others()
    {
        var entries = new EntryWorld();
        entries.Write("a", "endpoints: [{ address: 10.0.0.1 }]", hosts: "a.example, b.example");
        entries.Write("other", "endpoints: [{ address: 10.0.0.9 }]", hosts: "c.example");
        var before = entries.Compile();
        entries.Write("a", "endpoints: [{ address: 10.0.0.1 }, { address: 10.0.0.2 }]", hosts: "a.example, b.example");
        var after = entries.Compile();
        Assert.True(IsWorkedInto(before, after));
        Assert.True(before.Services.SequenceEqual(after.Services));
        Assert.Same(before.ByHost, after.ByHost);
        Assert.Equal(["10.0.0.1", "10.0.0.2"], after.EndpointsOf(new("b.example", "default")).All.Select(endpoint => endpoint.Address));
        var other = new ServiceKey("c.example", "default");
        Assert.Same(before.EndpointsOf(other), after.EndpointsOf(other));
        Assert.Equal([new("a.example", "default"), new("b.example", "default")], after.ServedAt["10.0.0.2"]);
    }

    [Fact]
    public void A_host_that_an_entry_gains_leaves_its_others_as_they_are()
    {
        var entries = new EntryWorld();
        entries.Write("a", "endpoints: [{ address: 10.0.0.1 }]", hosts: "a.example");
        var before = entries.Compile();
        entries.Write("a", "endpoints: [{ address: 10.0.0.1 }]", hosts: "a.example, b.example");
        var after = entries.Compile();
        Assert.True(IsWorkedInto(before, after));
        Assert.Same(before.Find("a.example", "default"), after.Find("a.example", "default"));
        Assert.NotNull(after.Find("b.example", "default"));
    }

    [Fact]
    public void What_an_agent_writes_into_the_status_of_its_entry_changes_nothing()
    {
        var entries = new EntryWorld();
        entries.Write("a", "workloadSelector: { labels: { app: a } }", hosts: "a.example");
        entries.WriteWorkload("one", "10.0.0.1", "True");
        var before = entries.Compile();
        entries.WriteWorkload("one", "10.0.0.1", "False");
        var after = entries.Compile();
        Assert.Same(before.Endpoints, after.Endpoints);
        Assert.Same(before.WorkloadsByAddress, after.WorkloadsByAddress);
        entries.WriteWorkload("one", "10.0.0.2", "True");
        var moved = entries.Compile();
        Assert.True(IsWorkedInto(before, moved));
        Assert.Equal("10.0.0.2", Assert.Single(moved.EndpointsOf(new("a.example", "default")).All).Address);
    }

    [Theory]
    [InlineData("true", "True", true)]
    [InlineData("true", "False", false)]
    [InlineData("1", "Unknown", false)]
    [InlineData("false", "False", true)]
    [InlineData("yes", "False", true)]
    public void An_entry_that_is_probed_counts_while_it_is_healthy(string isProbed, string healthy, bool counts)
    {
        var entries = new EntryWorld();
        entries.Write("a", "workloadSelector: { labels: { app: a } }", hosts: "a.example");
        entries.WriteWorkload("one", "10.0.0.1", "True", "true");
        Assert.Single(entries.Compile().EndpointsOf(new("a.example", "default")).All);
        entries.WriteWorkload("one", "10.0.0.1", healthy, isProbed);
        var after = entries.Compile();
        Assert.Equal(counts ? 1 : 0, after.EndpointsOf(new("a.example", "default")).All.Length);
        Assert.Equal(counts, after.WorkloadsByAddress.ContainsKey("10.0.0.1"));
        entries.WriteWorkload("one", "10.0.0.1", "True", "true");
        Assert.Single(entries.Compile().EndpointsOf(new("a.example", "default")).All);
    }

    // Only a whole compilation looks at nodes.
    private static bool IsWorkedInto(RegistryView last, RegistryView next) => ReferenceEquals(next.Nodes, last.Nodes);

    public static TheoryData<int> Seeds() => [.. Enumerable.Range(1, 40)];

    private static string Text(RegistryView view)
    {
        var text = new StringBuilder();
        Write(text, view.Services, "services");
        foreach (var pair in view.ByHost.OrderBy(pair => pair.Key, StringComparer.Ordinal)) Write(text, pair.Value, pair.Key);
        foreach (var pair in view.Endpoints.OrderBy(pair => pair.Key.ToString(), StringComparer.Ordinal))
            Write(text, pair.Value, pair.Key.ToString());
        foreach (var pair in view.WorkloadsByAddress.OrderBy(pair => pair.Key, StringComparer.Ordinal)) Write(text, pair.Value, pair.Key);
        foreach (var pair in view.ServedAt.OrderBy(pair => pair.Key, StringComparer.Ordinal)) Write(text, pair.Value, "at " + pair.Key);
        Write(text, view.NetworkGateways, "gateways");
        Write(text, view.Namespaces, "namespaces");
        Write(text, view.Nodes, "nodes");
        text.AppendJoin(' ', view.ByHost.Count, view.Endpoints.Count, view.WorkloadsByAddress.Count, view.ServedAt.Count);
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
