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

    private static List<string> AddressesOf(Resource<ServiceEntry> entry) =>
        [.. ((ServiceEntryStatus)entry.Status!).Addresses.Select(address => address.Value)];

    private static string Entry(string name, string host, string more) =>
        $"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: {name}\n  namespace: default\nspec:\n  hosts: "
        + $"[{host}]\n  ports: [{{number: 80, name: http, protocol: "
            + $"HTTP}}]\n  {(more.Contains("resolution", StringComparison.Ordinal) ? "" : "resolution: DNS")}\n  {more}\n";

    private static List<Resource<ServiceEntry>> Entries(params string[] texts) =>
        [.. new ResourceDecoder().Decode(string.Join("---\n", texts), "entries.yaml", new DiagnosticBag()).Cast<Resource<ServiceEntry>>()];
}
