using System.Diagnostics.CodeAnalysis;

namespace Lateen.Pilot.Generation;

/// <summary>Outputs by inputs. Keeps what the current and the previous snapshot used; nothing else bounds it, since both are bounded by the
/// mesh.</summary>
public sealed class GenerationCache<TInputs, TOutput> where TInputs : notnull
{
    private Dictionary<TInputs, TOutput> _current = [];
    private Dictionary<TInputs, TOutput> _previous = [];

    /// <summary>How often the inputs were known.</summary>
    public long Hits { get; private set; }

    /// <summary>How often they were not.</summary>
    public long Misses { get; private set; }

    /// <summary>The output for these inputs, when it is known.</summary>
    public bool TryGet(TInputs inputs, [MaybeNullWhen(false)] out TOutput output)
    {
        if (_current.TryGetValue(inputs, out output))
        {
            Hits++;
            return true;
        }
        if (_previous.TryGetValue(inputs, out output))
        {
            Hits++;
            _current[inputs] = output;
            return true;
        }
        Misses++;
        return false;
    }

    /// <summary>Remembers an output.</summary>
    public void Put(TInputs inputs, TOutput output) => _current[inputs] = output;

    /// <summary>The output for these inputs, made by <paramref name="make"/> when it is not known.</summary>
    public TOutput GetOrMake(TInputs inputs, Func<TInputs, TOutput> make)
    {
        if (TryGet(inputs, out var known)) return known;
        var made = make(inputs);
        Put(inputs, made);
        return made;
    }

    /// <summary>A new snapshot begins.</summary>
    public void Turn()
    {
        _previous = _current;
        _current = new Dictionary<TInputs, TOutput>(_previous.Count);
    }
}
