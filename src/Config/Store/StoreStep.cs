using System.Globalization;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;

namespace Lateen.Config.Store;

/// <summary>Works out what a change does to a view: what is checked, refused, held out, or the same as before.</summary>
internal sealed class StoreStep
{
    private readonly ResourceView _before;
    private readonly bool _isObserved;
    private readonly DateTimeOffset _now;
    private readonly List<Diagnostic> _diagnostics = [];

    public StoreStep(ResourceView before, ChangeSet change, Func<Resource, IReadOnlyList<Diagnostic>> check, DateTimeOffset now)
    {
        (_before, _isObserved, _now) = (before, change.IsObserved, now);
        foreach (var key in change.Delete) Delete(key);
        var seen = new HashSet<ResourceKey>();
        foreach (var resource in change.Put)
        {
            if (!seen.Add(resource.Key))
            {
                Refuse(ResourceCodes.SameTwice, resource, $"{resource.Key} is written twice in one change");
                continue;
            }

            var found = check(resource);
            Put(KeptForm.Of(resource), found);
        }

        foreach (var unreadable in change.Unreadable)
        {
            _diagnostics.AddRange(unreadable.Diagnostics);
            Hold(unreadable.Resource, unreadable.Diagnostics);
        }
    }

    /// <summary>The objects that become others; null for deleted ones.</summary>
    public Dictionary<ResourceKey, Resource?> Changes { get; } = [];

    /// <summary>Objects that say what they said, but stand elsewhere now: no change, but diagnostics and explanations must name the
    /// place.</summary>
    public Dictionary<ResourceKey, Resource?> Moved { get; } = [];

    /// <summary>What is held out from now on; null for what no longer is.</summary>
    public Dictionary<ResourceKey, HeldResource?> Held { get; } = [];

    public bool IsRefused { get; private set; }

    public IReadOnlyList<Diagnostic> Diagnostics => _diagnostics;

    private void Delete(ResourceKey key)
    {
        if (_before.Held.ContainsKey(key)) Held[key] = null;
        if (_before.Find(key) is not null) Changes[key] = null;
        else if (!_isObserved)
        {
            IsRefused = true;
            _diagnostics.Add(new Diagnostic
            {
                Code = StoreCodes.NotThere,
                Level = DiagnosticLevel.Error,
                Text = $"{key} does not exist",
                Resource = key.ToString(),
                Remedy = StoreCodes.NotThere.Remedy,
            });
        }
    }

    private void Put(Resource resource, IReadOnlyList<Diagnostic> found)
    {
        _diagnostics.AddRange(found);
        if (found.Any(d => d.IsError))
        {
            if (!_isObserved)
            {
                IsRefused = true;
                return;
            }

            Hold(resource, found);
            return;
        }

        if (_before.Held.ContainsKey(resource.Key)) Held[resource.Key] = null;
        var present = _before.Find(resource.Key);
        if (present is not null && present.SaysTheSameAs(resource))
        {
            // A delete of the same key earlier in this change is undone by it.
            Changes.Remove(resource.Key);
            if (present.Origin != resource.Origin) Moved[resource.Key] = present.With(resource.Origin);
            return;
        }

        Changes[resource.Key] = Stamped(resource, present);
    }

    private void Hold(Resource resource, IReadOnlyList<Diagnostic> found)
    {
        Held[resource.Key] = new HeldResource(resource, found);
        var stays = _before.Find(resource.Key) is not null
            ? "its last good form stays in force" : "it has no good form, so it is not in force";
        _diagnostics.Add(new Diagnostic
        {
            Code = StoreCodes.HeldOut, Level = DiagnosticLevel.Warning, Text = $"held out: {stays}", Resource = resource.Key.ToString(),
            Position = resource.Origin.Position, Remedy = StoreCodes.HeldOut.Remedy,
        });
    }

    /// <summary>Age and generation of an object continue over its forms, unless its source keeps them itself.</summary>
    private Resource Stamped(Resource resource, Resource? present)
    {
        var metadata = resource.Metadata;
        var isOtherMessage = present is null || !present.Message.Equals(resource.Message);
        return resource.With(metadata with
        {
            CreationTime = metadata.CreationTime ?? present?.Metadata.CreationTime ?? _now,
            Generation = metadata.Generation > 0 ? metadata.Generation : (present?.Metadata.Generation ?? 0) + (isOtherMessage ? 1 : 0),
            ResourceVersion = metadata.ResourceVersion.Length > 0
                ? metadata.ResourceVersion : KeptForm.Text((_before.Generation + 1).ToString(CultureInfo.InvariantCulture)),
        });
    }

    private void Refuse(DiagnosticCode code, Resource resource, string text)
    {
        IsRefused |= !_isObserved;
        _diagnostics.Add(new Diagnostic
        {
            Code = code,
            Level = code.Level,
            Text = text,
            Resource = resource.Key.ToString(),
            Position = resource.Origin.Position,
            Remedy = code.Remedy,
        });
    }
}
