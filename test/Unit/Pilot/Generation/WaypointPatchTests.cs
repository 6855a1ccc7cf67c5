using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Patches;
using Xunit;
using ApplyTo = Istio.Networking.V1Alpha3.EnvoyFilter.Types.ApplyTo;
using Context = Istio.Networking.V1Alpha3.EnvoyFilter.Types.PatchContext;
using Matching = Istio.Networking.V1Alpha3.EnvoyFilter.Types.WaypointMatch;
using Operation = Istio.Networking.V1Alpha3.EnvoyFilter.Types.Patch.Types.Operation;

namespace Lateen.Test.Unit.Pilot.Generation;

/// <summary>Patches for waypoints name the port of the service, a filter or a route.</summary>
public sealed class WaypointPatchTests
{
    [Theory]
    [InlineData(80u, "buffer router")]
    [InlineData(0u, "buffer router")]
    [InlineData(81u, "router")]
    public void A_filter_is_inserted_where_the_port_and_the_filter_are_named(uint port, string want)
    {
        var match = new Matching
        {
            PortNumber = port,
            Filter = new() { Name = "envoy.filters.network.http_connection_manager", SubFilter = new() { Name = "router" } },
        };
        Patch patch = Made(ApplyTo.HttpFilter, Operation.InsertBefore, match, "buffer");
        var listener = new Listener { Name = "main_internal", FilterChains = { Chain() } };
        new ListenerPatches([patch], Context.Waypoint).Apply([listener], adds: false);
        var manager = listener.FilterChains[0].Filters[0].TypedConfig.Unpack<HttpConnectionManager>();
        Assert.Equal(want, string.Join(' ', manager.HttpFilters.Select(filter => filter.Name)));
    }

    [Theory]
    [InlineData(Operation.InsertBefore, "b", "a n b")]
    [InlineData(Operation.InsertFirst, "b", "n a b")]
    [InlineData(Operation.InsertFirst, "c", "a b")]
    [InlineData(Operation.InsertAfter, "a", "a n b")]
    public void A_route_is_inserted_where_one_is_named(Operation operation, string named, string want)
    {
        Patch patch = Made(ApplyTo.HttpRoute, operation, new Matching { Route = new() { Name = named } }, "n");
        var routes = new RouteConfiguration
        {
            Name = "inbound-vip|80|http|web.default.svc.cluster.local",
            VirtualHosts = { new VirtualHost
            {
                Name = "inbound|http|80",
                Domains = { "*" },
                Routes = { new Route { Name = "a" }, new Route { Name = "b" } },
            } },
        };
        new RoutePatches([patch], Context.Waypoint, null).Apply(routes);
        Assert.Equal(want, string.Join(' ', routes.VirtualHosts[0].Routes.Select(route => route.Name)));
    }

    private static FilterChain Chain() => new()
    {
        Name = "inbound-vip|80|http|web.default.svc.cluster.local",
        Filters = { new Filter
        {
            Name = "envoy.filters.network.http_connection_manager",
            TypedConfig = Any.Pack(new HttpConnectionManager { HttpFilters = { new HttpFilter { Name = "router" } } }),
        } },
    };

    private static Patch Made(ApplyTo applyTo, Operation operation, Matching match, string name) =>
        Assert.Single(PatchValues.Of(new EnvoyFilter
        {
            ConfigPatches =
            {
                new EnvoyFilter.Types.EnvoyConfigObjectPatch
                {
                    ApplyTo = applyTo,
                    Match = new() { Context = Context.Waypoint, Waypoint = match },
                    Patch = new() { Operation = operation, Value = new Struct { Fields = { ["name"] = Value.ForString(name) } } },
                },
            },
        }));
}
