using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.ControlPlane.Keys;
using Lateen.Pilot.Meaning;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Keys;

public sealed class KeySetsTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly KeySetName Name = new("me", "https://me.test/keys");

    private readonly List<KeySetRequest> _asked = [];
    private readonly KeySets _keys;

    public KeySetsTests() => _keys = new KeySets(_asked.Add);

    [Fact]
    public void What_is_wanted_is_asked_for_once_with_its_own_patience()
    {
        _keys.Want(View("timeout: 2s"), Now);
        Assert.True(_keys.AwaitsFirst);
        _keys.Ask(Now);
        _keys.Ask(Now);
        Assert.Equal([new KeySetRequest(Name, TimeSpan.FromSeconds(2))], _asked);
    }

    [Fact]
    public void Keys_that_are_written_are_not_fetched()
    {
        _keys.Want(View("jwks: '{}'"), Now);
        Assert.False(_keys.AwaitsFirst);
        Assert.Null(_keys.DueAt);
    }

    [Fact]
    public void A_failure_is_tried_again_ever_later_and_keeps_what_was_there()
    {
        _keys.Want(View(""), Now);
        _keys.Ask(Now);
        Assert.True(_keys.Arrived(Name, "{}", Now));
        Assert.Equal("{}", _keys.Current[Name]);
        _keys.Ask(Now + TimeSpan.FromMinutes(20));
        Assert.False(_keys.Arrived(Name, null, Now));
        Assert.Equal(Now + TimeSpan.FromSeconds(1), _keys.DueAt);
        _keys.Ask(Now + TimeSpan.FromSeconds(1));
        Assert.False(_keys.Arrived(Name, null, Now));
        Assert.Equal(Now + TimeSpan.FromSeconds(2), _keys.DueAt);
        Assert.Equal("{}", _keys.Current[Name]);
    }

    [Fact]
    public void The_same_keys_again_change_nothing()
    {
        _keys.Want(View(""), Now);
        _keys.Ask(Now);
        _keys.Arrived(Name, "{}", Now);
        var before = _keys.Current;
        Assert.False(_keys.Arrived(Name, "{}", Now));
        Assert.Same(before, _keys.Current);
    }

    [Fact]
    public void What_nobody_wants_any_more_is_forgotten()
    {
        _keys.Want(View(""), Now);
        _keys.Ask(Now);
        _keys.Arrived(Name, "{}", Now);
        _keys.Want(ResourceView.Empty, Now);
        Assert.Empty(_keys.Current);
        Assert.Null(_keys.DueAt);
    }

    private static ResourceView View(string more)
    {
        var resources = new ResourceDecoder().Decode($"""
            apiVersion: security.istio.io/v1
            kind: RequestAuthentication
            metadata: {"{"}name: a, namespace: default{"}"}
            spec:
              jwtRules:
              - issuer: me
                jwksUri: https://me.test/keys
                {more}
            """, "a.yaml", new DiagnosticBag());
        return ResourceView.Of(resources);
    }
}
