namespace Lateen.Test.Scenarios.Orders;

/// <summary>Leaves acts out of a plan that fails for as long as it goes on failing.</summary>
internal static class Shortening
{
    /// <summary>A plan that still fails, with as few acts as so many tries find.</summary>
    public static OrderPlan Of(OrderPlan plan, Func<OrderPlan, bool> fails, int triesMax)
    {
        int tries = 0;
        bool StillFails(OrderPlan shorter) => ++tries <= triesMax && fails(shorter);
        for (int chunk = Math.Max(1, plan.Acts.Count / 2); tries < triesMax;)
        {
            int before = plan.Acts.Count;
            for (int at = plan.Acts.Count - chunk; at > -chunk && tries < triesMax; at -= chunk)
            {
                int from = Math.Max(0, at), to = Math.Min(plan.Acts.Count, at + chunk);
                OrderPlan shorter = plan with { Acts = [.. plan.Acts.Take(from), .. plan.Acts.Skip(to)] };
                if (StillFails(shorter)) plan = shorter;
            }
            if (chunk == 1 && before == plan.Acts.Count) break;
            chunk = Math.Max(1, chunk / 2);
        }
        return WithSmallerWrites(plan, StillFails);
    }

    private static OrderPlan WithSmallerWrites(OrderPlan plan, Func<OrderPlan, bool> fails)
    {
        for (int i = 0; i < plan.Acts.Count; i++)
        {
            for (int n = 0; plan.Acts[i] is Write { Changes.Count: > 1 } write && n < write.Changes.Count; n++)
            {
                Act smaller = new Write([.. write.Changes.Where((_, at) => at != n)]);
                OrderPlan shorter = plan with { Acts = [.. plan.Acts.Take(i), smaller, .. plan.Acts.Skip(i + 1)] };
                if (!fails(shorter)) continue;
                plan = shorter;
                n--;
            }
        }
        return plan;
    }
}
