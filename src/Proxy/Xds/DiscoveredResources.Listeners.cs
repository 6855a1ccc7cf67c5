using Envoy.Config.Route.V3;
using ListenerMessage = Envoy.Config.Listener.V3.Listener;

namespace Lateen.Proxy.Xds;

// Chapter of DiscoveredResources: listeners and their routes.
internal sealed partial class DiscoveredResources
{
    /// <summary>Takes a listener of the bootstrap.</summary>
    public void AddStatic(ListenerMessage message, Rejections rejections) => TakeListener(message, "", isStatic: true, rejections);

    private List<(string, string)> TakeListeners(IReadOnlyList<IncomingResource> resources, IReadOnlyList<string> removed, bool isWhole)
    {
        var refused = new List<(string, string)>();
        HashSet<string> wanted = [.. resources.Select(r => r.Name)], taken = new(StringComparer.Ordinal);
        IEnumerable<string> gone = isWhole
            ? _listenerEntries.Where(e => !e.Value.Static && !wanted.Contains(e.Key)).Select(e => e.Key) : removed;
        // What goes makes room first: a new listener may have its address.
        foreach (string name in gone.ToArray())
            RemoveListener(name);
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            if (!taken.Add(resource.Name))
                rejections.Add($"duplicate listener {resource.Name} found");
            else if (ValueTranslator.Unpack(resource.Body, ListenerMessage.Parser, rejections) is { } message)
                TakeListener(message, resource.Version, isStatic: false, rejections);
            SayNotes(rejections);
            if (!rejections.None)
                refused.Add((resource.Name, rejections.ToString()));
        }
        DropRoutes();
        return refused;
    }

    private void TakeListener(ListenerMessage message, string version, bool isStatic, Rejections rejections)
    {
        string name = message.Name.Length > 0 ? message.Name : message.Address?.ToString() ?? "";
        if (_listenerEntries.TryGetValue(name, out ListenerEntry? known) && (known.Static != isStatic || known.Message.Equals(message)))
            return;
        RefuseTaken(name, message, rejections);
        TranslatedListener? translated = _listeners.Translate(message, rejections);
        JudgeUnknown(rejections, isStatic);
        if (translated is not null && (known?.Warming ?? known?.Active)?.Listener is { Binds: true } before
            && before.ReusePort != translated.Listener.ReusePort)
            rejections.Add($"Listener {name}: reuse port cannot be changed during an update");
        if (translated is not null && rejections.None && _host.Reserve(translated.Listener) is { } taken)
            rejections.Add(taken);
        if (translated is null || !rejections.None)
            return;
        if (known is null)
            Stats.ListenersAdded++;
        else
            Stats.ListenersModified++;
        var entry = new ListenerEntry
        {
            Message = message,
            Version = version,
            Static = isStatic,
            At = _loop.WallClock,
            Active = known?.Active,
            Warming = translated,
        };
        _listenerEntries[name] = entry;
        foreach (RouteReference routes in translated.Routes)
        {
            Subscriptions?.Subscribe(routes.Source, ResourceTypes.Routes, routes.Name);
            if (_translation.RouteSource(routes.Name).Current is null)
                Await(ResourceTypes.Routes, routes.Name, ValueTranslator.Micros(routes.Source?.InitialFetchTimeout, 15_000_000));
        }
        foreach (string extension in translated.Extensions.Where(e => !_translation.Extensions.IsSettled(e)))
            Await(ResourceTypes.Extension, extension, _translation.Extensions.PatienceOf(extension));
        foreach ((string secret, long patience) in translated.Secrets)
        {
            // An agent that is not there yet keeps nobody from what needs no secret: the chains that do fail until it comes.
            if (Subscriptions?.CanBring(ResourceTypes.Secret, secret) ?? false)
                Await(ResourceTypes.Secret, secret, patience);
            else
                _givenUp.Add((ResourceTypes.Secret, secret));
        }
        Warm(entry);
    }

    // Two listeners on one address would share its connections by chance.
    private void RefuseTaken(string name, ListenerMessage message, Rejections rejections)
    {
        if (message.Address is null || !(message.BindToPort ?? true) || message.Address.SocketAddress is { PortValue: 0 })
            return;
        foreach ((string other, ListenerEntry entry) in _listenerEntries)
        {
            if (other != name && message.Address.Equals(entry.Message.Address) && (entry.Message.BindToPort ?? true))
                rejections.Add($"error adding listener: '{name}' has duplicate address "
                    + $"'{ValueTranslator.Address(message.Address, rejections)}' as existing listener '{other}'");
        }
    }

    // What does not come in its time is not waited for any longer (initial_fetch_timeout).
    private void Await(string type, string name, long patience)
    {
        if (patience <= 0)
            return;
        _loop.Arm(new Impatience(_loop, () =>
        {
            if (type == ResourceTypes.Extension)
                _translation.Extensions.GiveUp(name);
            GiveUp(type, name);
        }), patience);
    }

    private void Warm(ListenerEntry entry)
    {
        if (entry.Warming is not { } warming
            || warming.Routes.Any(r => _translation.RouteSource(r.Name).Current is null
                && !_givenUp.Contains((ResourceTypes.Routes, r.Name)))
            || warming.Extensions.Any(e => !_translation.Extensions.IsSettled(e))
            || warming.Secrets.Any(s => !_translation.Security.HasSecret(s.Name) && !_givenUp.Contains((ResourceTypes.Secret, s.Name))))
        {
            return;
        }
        entry.Active = warming;
        entry.Warming = null;
        if (_serves || entry.Static)
            _host.Put(warming.Listener);
    }

    /// <summary>Discovered listeners come into service, from now on each when it is ready. Until the first configuration is there whole,
    /// they wait for each other, as Envoy's do: one that catches what others are for would carry their traffic past routes and
    /// policies.</summary>
    public void Serve()
    {
        if (_serves)
            return;
        _serves = true;
        // Those that accept come last.
        foreach (ListenerEntry entry in _listenerEntries.Values.Where(e => e is { Static: false, Active: not null })
            .OrderBy(e => e.Active!.Listener.Binds))
        {
            _host.Put(entry.Active!.Listener);
        }
    }

    private void RemoveListener(string name)
    {
        if (!_listenerEntries.TryGetValue(name, out ListenerEntry? entry) || entry.Static)
            return;
        Stats.ListenersRemoved++;
        _listenerEntries.Remove(name);
        if (entry.Active is not null)
            _host.Remove(entry.Active.Listener.Name);
    }

    // ---- Routes

    private List<(string, string)> TakeRoutes(IReadOnlyList<IncomingResource> resources)
    {
        var refused = new List<(string, string)>();
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            if (ValueTranslator.Unpack(resource.Body, RouteConfiguration.Parser, rejections) is not { } message)
            {
                refused.Add((resource.Name, rejections.ToString()));
                continue;
            }
            if (Routes.TryGetValue(message.Name, out (RouteConfiguration Message, string Version) known) && known.Message.Equals(message))
                continue;
            if (message.Vhds is not null && AwaitsHosts(message, resource.Version))
                continue;
            Routing.RouteTable table = _translation.Routes.Table(_virtualHosts.Complete(message), rejections, resource.Version);
            JudgeUnknown(rejections);
            SayNotes(rejections);
            if (!rejections.None)
            {
                refused.Add((resource.Name, rejections.ToString()));
                continue;
            }
            Routes[message.Name] = (message, resource.Version);
            _translation.RouteSource(message.Name).Current = table;
        }
        foreach (ListenerEntry entry in _listenerEntries.Values.Where(e => e.Warming is not null))
            Warm(entry);
        return refused;
    }

    // ---- Virtual hosts that come apart from their configuration

    // A configuration that is new waits for its hosts; what served until now goes on meanwhile.
    private bool AwaitsHosts(RouteConfiguration message, string version)
    {
        Subscriptions?.Subscribe(message.Vhds.ConfigSource, ResourceTypes.VirtualHost, message.Name);
        if (_virtualHosts.HasAnswered(message.Name) || _givenUp.Contains((ResourceTypes.VirtualHost, message.Name)))
            return false;
        Routes[message.Name] = (message, version);
        Await(ResourceTypes.VirtualHost, message.Name, ValueTranslator.Micros(message.Vhds.ConfigSource?.InitialFetchTimeout, 15_000_000));
        return true;
    }

    private List<(string, string)> TakeVirtualHosts(IReadOnlyList<IncomingResource> resources, IReadOnlyList<string> removed)
    {
        var refused = new List<(string, string)>();
        foreach (string name in _virtualHosts.Take(resources, removed, refused))
            PutTogether(name, refused);
        return refused;
    }

    private void PutTogether(string name, List<(string, string)> refused)
    {
        if (!Routes.TryGetValue(name, out (RouteConfiguration Message, string Version) known))
            return;
        var rejections = new Rejections();
        Routing.RouteTable table = _translation.Routes.Table(_virtualHosts.Complete(known.Message), rejections, known.Version);
        SayNotes(rejections);
        if (rejections.None)
            _translation.RouteSource(name).Current = table;
        else
            refused.Add((name, rejections.ToString()));
    }

    // Route configurations that no listener names any more are forgotten. Connections that a listener left behind go on by what they had
    // (as in Envoy, where they hold it).
    private void DropRoutes()
    {
        HashSet<string> used = [.. _listenerEntries.Values.SelectMany(
            e => (e.Warming?.Routes ?? []).Concat(e.Active?.Routes ?? []).Select(r => r.Name))];
        foreach (string name in Routes.Keys.Where(n => !used.Contains(n)).ToArray())
        {
            Routes.Remove(name);
            if (_translation.ForgetRoutes(name) is { } table)
                _left.Leave(table);
            Subscriptions?.Unsubscribe(ResourceTypes.Routes, name);
            Subscriptions?.Unsubscribe(ResourceTypes.VirtualHost, name);
        }
    }
}
