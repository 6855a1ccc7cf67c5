using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Config.Endpoint.V3;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Envoy.Type.Matcher.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Schemas;
using Lateen.Api.Schemas.Constraints;
using Xunit;

namespace Lateen.Test.Unit.Api.Schemas;

public sealed class MessageRulesTests
{
    [Fact]
    public void What_is_right_breaks_nothing() =>
    Assert.Null(Check(new Cluster { Name = "c", ConnectTimeout = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)) }));

    [Fact]
    public void Text_that_must_be_there() =>
    Assert.Equal("ClusterValidationError.Name: value length must be at least 1 characters", Check(new Cluster()));

    [Fact]
    public void Durations_above_zero() =>
    Assert.StartsWith("ClusterValidationError.ConnectTimeout: value must be greater than",
        Check(new Cluster { Name = "c", ConnectTimeout = new Duration() }), StringComparison.Ordinal);

    [Fact]
    public void Values_inside_of_wrappers()
    {
        var cluster = new Cluster { Name = "c", OutlierDetection = new OutlierDetection { MaxEjectionPercent = 101 } };
        Assert.Equal("ClusterValidationError.OutlierDetection: embedded message failed validation | caused by "
            + "OutlierDetectionValidationError.MaxEjectionPercent: value must be less than or equal to 100", Check(cluster));
    }

    [Fact]
    public void Elements_of_lists_with_their_place()
    {
        var routes = new RouteConfiguration { VirtualHosts = { new VirtualHost { Name = "a", Domains = { "a" } },
            new VirtualHost { Name = "b" } } };
        Assert.Equal("RouteConfigurationValidationError.VirtualHosts[1]: embedded message failed validation | caused by "
            + "VirtualHostValidationError.Domains: value must contain at least 1 item(s)", Check(routes));
    }

    [Fact]
    public void A_choice_that_must_be_made()
    {
        var routes = new RouteConfiguration { VirtualHosts =
            { new VirtualHost { Name = "a", Domains = { "a" }, Routes = { new Route { Match = new RouteMatch { Prefix = "/" } } } } } };
        Assert.Equal("RouteConfigurationValidationError.VirtualHosts[0]: embedded message failed validation | caused by "
            + "VirtualHostValidationError.Routes[0]: embedded message failed validation | caused by RouteValidationError.Action: value "
                + "is required", Check(routes));
    }

    [Fact]
    public void A_rule_for_one_choice_says_nothing_of_the_others() => Assert.Null(Check(new StringMatcher { Exact = "a" }));

    [Fact]
    public void Messages_inside_of_an_any()
    {
        var manager = new HttpConnectionManager { StatPrefix = "" };
        var listener = new Listener
        {
            Name = "l",
            FilterChains =
                { new FilterChain { Filters = { new Envoy.Config.Listener.V3.Filter { Name = "hcm", TypedConfig = Any.Pack(manager) } } } },
        };
        Assert.EndsWith("HttpConnectionManagerValidationError.StatPrefix: value length must be at least 1 characters", Check(listener),
            StringComparison.Ordinal);
        Assert.Null(MessageRules.FirstViolation(SchemaSet.Of(typeof(Listener)), listener.ToByteArray()));
    }

    [Fact]
    public void An_any_of_a_type_that_nobody_knows_is_left_alone()
    {
        var listener = new Listener
        {
            Name = "l",
            FilterChains =
                { new FilterChain { Filters =
                    { new Envoy.Config.Listener.V3.Filter
                    {
                        Name = "f",
                        TypedConfig = new Any { TypeUrl = "type.googleapis.com/no.such.Type", Value = ByteString.CopyFromUtf8("x") },
                    } } } },
        };
        Assert.Null(Check(listener));
    }

    [Fact]
    public void Names_of_headers()
    {
        var option = new HeaderValueOption { Header = new HeaderValue { Key = "a\nb", Value = "c" } };
        Assert.Contains("HeaderValueValidationError.Key: value does not match regex pattern", Check(option), StringComparison.Ordinal);
    }

    [Fact]
    public void Numbers_of_enumerations() =>
    Assert.Equal("ClusterValidationError.LbPolicy: value must be one of the defined enum values",
        Check(new Cluster { Name = "c", LbPolicy = (Cluster.Types.LbPolicy)99 }));

    [Fact]
    public void Numbers_that_are_not_written_are_zero()
    {
        var assignment = new ClusterLoadAssignment { ClusterName = "c", Endpoints = { new LocalityLbEndpoints { Priority = 200 } } };
        Assert.Equal("ClusterLoadAssignmentValidationError.Endpoints[0]: embedded message failed validation | caused by "
            + "LocalityLbEndpointsValidationError.Priority: value must be less than or equal to 128", Check(assignment));
    }

    private static string? Check(IMessage message) =>
        MessageRules.FirstViolation(SchemaSet.Of(message.GetType()), message.ToByteArray(), intoAnys: true);
}
