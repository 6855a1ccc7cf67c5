using Operation = Istio.Networking.V1Alpha3.EnvoyFilter.Types.Patch.Types.Operation;

namespace Lateen.Pilot.Generation.Patches;

/// <summary>Operations on a list whose elements are found by a condition.</summary>
internal static class ListEdits
{
    /// <summary>Applies an operation that adds, replaces or removes. Merging is none of its business.</summary>
    /// <param name="list">List to change.</param>
    /// <param name="operation">Operation.</param>
    /// <param name="hasCondition">The patch names elements; without a name "before" means first, "after" means last.</param>
    /// <param name="isMeant">Whether an element is one of those.</param>
    /// <param name="make">Makes the new element.</param>
    public static void Apply<T>(IList<T> list, Operation operation, bool hasCondition, Func<T, bool> isMeant, Func<T> make)
    {
        var at = hasCondition ? IndexOf(list, isMeant) : -1;
        switch (operation)
        {
            case Operation.Add:
                list.Add(make());
                break;
            case Operation.InsertFirst:
                list.Insert(0, make());
                break;
            case Operation.InsertAfter when !hasCondition:
                list.Add(make());
                break;
            case Operation.InsertAfter when at >= 0:
                list.Insert(at + 1, make());
                break;
            case Operation.InsertBefore when !hasCondition:
                list.Insert(0, make());
                break;
            case Operation.InsertBefore when at >= 0:
                list.Insert(at, make());
                break;
            case Operation.Replace when at >= 0:
                list[at] = make();
                break;
            case Operation.Remove when hasCondition:
                for (var i = list.Count - 1; i >= 0; i--)
                {
                    if (isMeant(list[i])) list.RemoveAt(i);
                }
                break;
            default:
                break;
        }
    }

    private static int IndexOf<T>(IList<T> list, Func<T, bool> isMeant)
    {
        for (var i = 0; i < list.Count; i++)
        {
            if (isMeant(list[i])) return i;
        }
        return -1;
    }
}
