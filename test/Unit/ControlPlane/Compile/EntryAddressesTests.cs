using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Compile;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Compile;

public sealed class EntryAddressesTests
{
    private readonly EntryAddresses _addresses = new();

    [Fact]
    public void An_entry_without_address_is_given_one_of_each_family_and_keeps_it()
    {
        var entries = Entries(Entry("a", "a.test", ""));
        var given = Assert.Single(_addresses.Of(entries));
        Assert.Matches(@"^240\.240\.\d+\.\d+$", AddressesOf(given)[0]);
        Assert.StartsWith("2001:2::f0f0:", AddressesOf(given)[1], StringComparison.Ordinal);
        Assert.Equal(AddressesOf(given), AddressesOf(Assert.Single(new EntryAddresses().Of(entries))));
        // Another list with the same object in it: nothing changed for who keeps what it is made of.
        Assert.Same(given, _addresses.Of([.. entries])[0]);
    }

    [Theory]
    [InlineData("a.test", "addresses: [10.1.2.3]")]
    [InlineData("a.test", "resolution: NONE")]
    [InlineData("'*.test'", "")]
    public void Who_needs_none_is_left_alone(string host, string more)
    {
        var entries = Entries(Entry("a", host, more));
        Assert.Same(entries[0], _addresses.Of(entries)[0]);
    }

    [Fact]
    public void Entries_of_one_host_have_one_address_and_others_another()
    {
        var given = _addresses.Of(Entries(Entry("a", "a.test", ""), Entry("b", "a.test", ""), Entry("c", "c.test", "")));
        Assert.Equal(AddressesOf(given[0]), AddressesOf(given[1]));
        Assert.NotEqual(AddressesOf(given[0]), AddressesOf(given[2]));
    }

    [Fact]
    public void No_two_hosts_have_one_address()
    {
        var given = _addresses.Of(Entries([.. Enumerable.Range(0, 2000).Select(i => Entry($"e{i}", $"h{i}.test", ""))]));
        Assert.Equal(4000, given.SelectMany(AddressesOf).Distinct().Count());
    }

    // Whatever came and went before, they are what somebody gives who has just begun; and what did not change is the same object.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Changes_that_are_followed_give_what_a_fresh_start_gives(int seed)
    {
        var chance = new Random(seed);
        // As many as fall together now and then.
        var entries = Entries([.. Enumerable.Range(0, 800).Select(i => Entry($"e{i}", $"h{i}.test", ""))]);
        foreach (var step in Enumerable.Range(0, 200))
        {
            var (name, at) = ($"n{chance.Next(600)}", chance.Next(entries.Count));
            entries = chance.Next(4) switch
            {
                0 => [.. entries.Where((_, place) => place != at)],
                1 => [.. entries.Where((_, place) => place != at), .. Entries(Entry(entries[at].Name, $"h{chance.Next(900)}.test", ""))],
                2 => [.. entries.Take(at), .. Entries(Entry(entries[at].Name, entries[at].Spec.Hosts[0], Served)), .. entries.Skip(at + 1)],
                _ => [.. entries.Take(at), .. Entries(Entry($"{name}-{step}", $"{name}.test", Rarely(chance, "addresses: [10.1.2.3]"))),
                    .. entries.Skip(at)],
            };
            var followed = _addresses.Of(entries);
            Assert.Equal(new EntryAddresses().Of(entries).Select(Said), followed.Select(Said));
        }
    }

    private const string Served = "endpoints: [{address: 10.0.0.1}]";

    private static string Rarely(Random chance, string text) => chance.Next(5) == 0 ? text : "";

    private static string Said(Resource<ServiceEntry> entry) => $"{entry.Key}: {entry.Status}";

    private static List<string> AddressesOf(Resource<ServiceEntry> entry) =>
        [.. ((ServiceEntryStatus)entry.Status!).Addresses.Select(address => address.Value)];

    private static string Entry(string name, string host, string more) =>
        $"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: {name}\n  namespace: default\nspec:\n  hosts: "
        + $"[{host}]\n  ports: [{{number: 80, name: http, protocol: "
            + $"HTTP}}]\n  {(more.Contains("resolution", StringComparison.Ordinal) ? "" : "resolution: DNS")}\n  {more}\n";

    private static List<Resource<ServiceEntry>> Entries(params string[] texts) =>
        [.. new ResourceDecoder().Decode(string.Join("---\n", texts), "entries.yaml", new DiagnosticBag()).Cast<Resource<ServiceEntry>>()];
}
