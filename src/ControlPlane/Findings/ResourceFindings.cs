using System.Runtime.CompilerServices;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Config.Validation;

namespace Lateen.ControlPlane.Findings;

/// <summary>All that is to be said about a resource beyond what is wrong in its own text.</summary>
/// <param name="domain">The cluster's domain.</param>
/// <param name="rootNamespace">The namespace whose resources hold for the whole mesh.</param>
/// <param name="refusals">What proxies would not take.</param>
public sealed class ResourceFindings(string domain, string rootNamespace, Refusals refusals)
{
    private readonly Conflicts _conflicts = new(domain, rootNamespace);
    private readonly References _references = new(domain, rootNamespace);
    private readonly ConditionalWeakTable<Resource, Diagnostic[]> _ofItself = [];

    /// <summary>What follows from what is written alone: conflicts, what is never reached, what changes nothing.</summary>
    public IEnumerable<Diagnostic> AtOnce(Resource resource, ResourceView view) => AtOnce(view)(resource);

    /// <summary>The same for who asks about many resources of one view.</summary>
    public Func<Resource, IEnumerable<Diagnostic>> AtOnce(ResourceView view)
    {
        Func<Resource, IEnumerable<Diagnostic>> rivals = _conflicts.In(view);
        return resource => rivals(resource).Concat(OfItself(resource));
    }

    /// <summary>What the author of a change is told of what it wrote, and of what anybody wrote that now names what is not there.</summary>
    /// <remarks>The latter as warnings: who applies an application in parts may well write the route before the service.</remarks>
    /// <param name="written">What the change brought.</param>
    /// <param name="before">All there was before it.</param>
    /// <param name="after">All there is with it.</param>
    public IEnumerable<Diagnostic> OfChange(IReadOnlyList<Resource> written, ResourceView before, ResourceView after)
    {
        // In this order: what is asked for last is kept for the next change.
        Diagnostic[] broken = [.. _references.Newly(before, after)];
        IEnumerable<Diagnostic> missing = broken.Concat(written.SelectMany(resource => _references.About(resource, after))).Distinct();
        return written.SelectMany(resource => AtOnce(resource, after))
            .Concat(missing.Select(static said => said with { Level = DiagnosticLevel.Warning }));
    }

    /// <summary>Looks a view through once, so that the first change does not pay for what is there already, and finds the code for it
    /// ready.</summary>
    public void Prepare(ResourceView view)
    {
        foreach (Resource resource in view.Everything().DistinctBy(static resource => resource.Kind))
            _ = OfChange([resource], view, view).Count();
    }

    /// <summary>What its status says: all of that, and what of it no proxy would take.</summary>
    public IEnumerable<Diagnostic> About(Resource resource, ResourceView view) =>
        AtOnce(resource, view).Concat(_references.About(resource, view)).Concat(refusals.About(resource));

    // It is asked with every change of anything, and stays what it is as long as the resource is the same object.
    private Diagnostic[] OfItself(Resource resource) => _ofItself.GetValue(resource, static own => [.. Unreached(own), .. Idle(own)]);

    // Validation has told of some already, with Istio's rules.
    private static IEnumerable<Diagnostic> Unreached(Resource resource)
    {
        Diagnostic[] found = [.. DeadRoutes.Of(resource)];
        if (found.Length == 0) return found;
        HashSet<string> told = [.. Validator.Check(resource).Where(said => said.Code == ValidationCodes.Unreachable)
            .Select(said => said.Path)];
        return found.Where(dead => !told.Contains(dead.Path)
            && !told.Any(path => dead.Path.StartsWith(path + ".", StringComparison.Ordinal)));
    }

    private static IEnumerable<Diagnostic> Idle(Resource resource) => IdleFields.Of(resource).Select(idle => new Diagnostic
    {
        Code = OperatorCodes.NotInEffect,
        Level = DiagnosticLevel.Info,
        Text = idle.Text,
        Path = idle.Path,
        Resource = resource.Key.ToString(),
        Position = resource.PositionOf(idle.Path),
    });
}
