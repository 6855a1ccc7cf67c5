// Generation: meaning to wire. One generator for each xDS type, each a pure function of an inputs record that is also the
// key of its cache, so that two proxies whose inputs are equal share the bytes and the bytes are made once.
//
// State: a generator owns its cache and nothing else. Everything that it says about a proxy it reads from the scope it is
// given; written resources, sockets and sessions are unknown here.
//
// Refused: one cache for all types keyed by hashes of names (a key that forgets an input serves the wrong proxy; an inputs
// record can't forget, because the generator has nothing else to read).
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Generation;

/// <summary>Makes the resources of one xDS type for a proxy.</summary>
public interface IResourceGenerator
{
    /// <summary>Type of the resources.</summary>
    string TypeUrl { get; }

    /// <summary>Makes resources in a stable order.</summary>
    /// <param name="scope">What the proxy may see.</param>
    /// <param name="names">Names it subscribes to; null for all (wildcard).</param>
    /// <returns>The resources that exist; a name that does not exist is left out.</returns>
    IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names);

    /// <summary>Whether others' endpoints count in what is made, those aside that are dialed by themselves. Where they do not, scopes of
    /// the same <see cref="ProxyScope.Line"/> and <see cref="ProxyScope.Client"/> come to the same.</summary>
    bool LooksAtEndpoints => true;

    /// <summary>A new snapshot begins: what was not used under the last one may be forgotten.</summary>
    void BeginSnapshot();
}
