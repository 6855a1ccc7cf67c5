// Discovery: what else comes by discovery than the five great types: settings of filters (ECDS), virtual hosts (VHDS), runtime values
// (RTDS), and how long resources live (TTL). Each is a small class beside DiscoveredResources, which asks them whether what it warms may
// serve. Main loop only.
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Discovered;
using Lateen.Proxy.Tcp;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds.Discovery;

/// <summary>Filters whose settings come by discovery, by the name of the extension: the same for all chains that name it.</summary>
internal sealed class ExtensionSources
{
    private readonly Dictionary<string, Extension> _extensions = new(StringComparer.Ordinal);
    private readonly List<string> _asked = [];

    /// <summary>Asks for extensions; set when there is who can.</summary>
    public Subscriptions? Subscriptions { get; set; }

    private sealed class Extension(string name)
    {
        public string Name => name;

        public Core.ExtensionConfigSource Source { get; set; } = new();

        public Any? Current { get; set; }

        public bool Settled { get; set; }

        /// <summary>Makes the running form; null where rejections tell why not.</summary>
        public required Func<Any, Rejections, object?> Make { get; init; }

        public required Action<object?> Use { get; init; }
    }

    /// <summary>An HTTP filter's source.</summary>
    public Discovered<HttpFilter> Http(string name, Core.ExtensionConfigSource source, Func<Any, Rejections, HttpFilter?> make,
        Rejections rejections) => Find(name, source, make, rejections);

    /// <summary>A network filter's source.</summary>
    public Discovered<NetworkFilterFactory> Network(string name, Core.ExtensionConfigSource source,
        Func<Any, Rejections, NetworkFilterFactory?> make, Rejections rejections) => Find(name, source, make, rejections);

    private readonly Dictionary<string, object> _holders = new(StringComparer.Ordinal);

    private Discovered<T> Find<T>(string name, Core.ExtensionConfigSource source, Func<Any, Rejections, T?> make, Rejections rejections)
        where T : class
    {
        string key = $"{typeof(T).Name}/{name}";
        _asked.Add(key);
        if (_holders.TryGetValue(key, out object? known))
        {
            _extensions[key].Source = source;
            return (Discovered<T>)known;
        }
        var holder = new Discovered<T>();
        _holders[key] = holder;
        var extension = new Extension(name) { Source = source, Make = make, Use = value => holder.Current = (T?)value };
        _extensions[key] = extension;
        if (source.DefaultConfig is not null && source.ApplyDefaultConfigWithoutWarming)
        {
            Put(extension, source.DefaultConfig, rejections);
            extension.Settled = true;
        }
        Subscriptions?.Subscribe(source.ConfigSource, ResourceTypes.Extension, name);
        return holder;
    }

    /// <summary>Which extensions were named since the last call: what names them waits for them.</summary>
    public List<string> TakeAsked()
    {
        List<string> asked = [.. _asked.Distinct()];
        _asked.Clear();
        return asked;
    }

    /// <summary>True where it came, or nobody waits for it any more.</summary>
    public bool IsSettled(string key) => !_extensions.TryGetValue(key, out Extension? extension) || extension.Settled;

    /// <summary>How long what names it waits, in microseconds.</summary>
    public long PatienceOf(string key) => ValueTranslator.Micros(_extensions[key].Source.ConfigSource?.InitialFetchTimeout, 15_000_000);

    /// <summary>It did not come in time: its default stands in, where there is one.</summary>
    public void GiveUp(string key)
    {
        if (!_extensions.TryGetValue(key, out Extension? extension) || extension.Settled)
            return;
        extension.Settled = true;
        Fall(extension);
    }

    private static void Fall(Extension extension)
    {
        extension.Current = null;
        if (extension.Source.DefaultConfig is { } otherwise)
            Put(extension, otherwise, new Rejections());
        else
            extension.Use(null);
    }

    private static void Put(Extension extension, Any config, Rejections rejections)
    {
        Any body = FilterRegistry.Unwrap(config, out string type, rejections);
        if (extension.Source.TypeUrls.Count > 0 && !extension.Source.TypeUrls.Any(u => u[(u.LastIndexOf('/') + 1)..] == type))
            rejections.Add(
                $"Error: filter config has type URL {config.TypeUrl} but expect {string.Join(", ", extension.Source.TypeUrls)}.");
        object? made = rejections.None ? extension.Make(config, rejections) : null;
        if (rejections.None && body is not null)
            extension.Use(made);
    }

    /// <summary>Extensions came, or went.</summary>
    public List<(string, string)> Take(IReadOnlyList<IncomingResource> resources, IReadOnlyList<string> removed)
    {
        var refused = new List<(string, string)>();
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            if (ValueTranslator.Unpack(resource.Body, Core.TypedExtensionConfig.Parser, rejections) is { TypedConfig: { } config })
            {
                foreach (Extension extension in _extensions.Values.Where(e => e.Name == resource.Name))
                {
                    if (!config.Equals(extension.Current))
                        Put(extension, config, rejections);
                    if (!rejections.None)
                        continue;
                    extension.Current = config;
                    extension.Settled = true;
                }
            }
            if (!rejections.None)
                refused.Add((resource.Name, rejections.ToString()));
        }
        foreach (Extension extension in _extensions.Values.Where(e => removed.Contains(e.Name)))
            Fall(extension);
        return refused;
    }
}
