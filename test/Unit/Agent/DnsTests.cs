using System.Net;
using Istio.Networking.Nds.V1;
using Lateen.Agent.Dns;
using Xunit;

namespace Lateen.Test.Unit.Agent;

public sealed class DnsTests
{
    private static readonly NameTable Table = new()
    {
        Table =
        {
            ["reviews.default.svc.cluster.local"] = new()
            {
                Ips = { "10.1.0.1" },
                Registry = "Kubernetes",
                Shortname = "reviews",
                Namespace = "default",
            },
            ["far.other.svc.cluster.local"] = new()
            {
                Ips = { "10.1.0.2" },
                Registry = "Kubernetes",
                Shortname = "far",
                Namespace = "other",
            },
            ["*.example.com"] = new() { Ips = { "240.240.0.1" }, Registry = "External" },
            ["reviews"] = new() { Ips = { "240.240.0.9" }, Registry = "External" },
        },
    };

    [Theory]
    [InlineData("reviews", "10.1.0.1")]
    [InlineData("REVIEWS.default", "10.1.0.1")]
    [InlineData("reviews.default.svc", "10.1.0.1")]
    [InlineData("reviews.default.svc.cluster.local", "10.1.0.1")]
    [InlineData("far.other", "10.1.0.2")]
    [InlineData("a.b.example.com", "240.240.0.1")]
    [InlineData("far", null)]
    [InlineData("example.com", null)]
    public void A_name_is_found_as_kubernetes_spells_it(string name, string? address)
    {
        var table = new DnsTable();
        table.Replace(Table, "default");
        Assert.Equal(address, table.Find(name)?.Single().ToString());
    }

    [Fact]
    public void A_known_name_is_answered_for_the_type_it_has()
    {
        var table = new DnsTable();
        table.Replace(Table, "default");
        byte[] answer = new byte[512];
        int length = new DnsServer(table, new DnsUpstream([])).FromTable(Query("reviews", DnsMessage.A), 512, answer);
        Assert.Equal(0x81, answer[2]);
        Assert.Equal(0x80, answer[3]);
        Assert.Equal(1, answer[7]);
        Assert.Equal(IPAddress.Parse("10.1.0.1"), new IPAddress(answer.AsSpan(length - 4, 4)));
        Assert.Equal(30, answer[length - 7]);
    }

    [Fact]
    public void A_known_name_without_an_address_of_that_type_is_no_error()
    {
        var table = new DnsTable();
        table.Replace(Table, "default");
        byte[] answer = new byte[512];
        int length = new DnsServer(table, new DnsUpstream([])).FromTable(Query("reviews", DnsMessage.Aaaa), 512, answer);
        Assert.Equal(Query("reviews", DnsMessage.Aaaa).Length, length);
        Assert.Equal(0, answer[3] & 15);
        Assert.Equal(0, answer[7]);
    }

    [Fact]
    public void Before_the_first_table_every_name_fails()
    {
        byte[] answer = new byte[512];
        new DnsServer(new DnsTable(), new DnsUpstream([])).FromTable(Query("reviews", DnsMessage.A), 512, answer);
        Assert.Equal(DnsMessage.ServerFailure, answer[3] & 15);
    }

    [Fact]
    public void An_answer_that_does_not_fit_says_so()
    {
        var table = new DnsTable();
        var many = new NameTable { Table = { ["many"] = new() { Registry = "External" } } };
        for (int i = 0; i < 100; i++) many.Table["many"].Ips.Add($"10.0.0.{i}");
        table.Replace(many, "default");
        byte[] answer = new byte[512];
        int length = new DnsServer(table, new DnsUpstream([])).FromTable(Query("many", DnsMessage.A), 512, answer);
        Assert.True(length <= 512);
        Assert.NotEqual(0, answer[2] & 2);
    }

    [Theory]
    [InlineData(new byte[] { 1, 2, 3 })]
    [InlineData(new byte[] { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 200, 1, 1, 1, 1, 1 })]
    [InlineData(new byte[] { 0, 1, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 0, 0, 1, 0, 1 })]
    public void What_is_no_query_is_not_read(byte[] message) => Assert.False(DnsMessage.TryRead(message, out _));

    private static byte[] Query(string name, ushort type)
    {
        var bytes = new List<byte> { 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
        foreach (string label in name.Split('.'))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(System.Text.Encoding.ASCII.GetBytes(label));
        }
        bytes.AddRange([0, 0, (byte)type, 0, 1]);
        return [.. bytes];
    }
}
