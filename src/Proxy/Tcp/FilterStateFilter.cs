using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Tcp;

/// <summary>One value of a connection's filter state, from a format.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Value">Its text.</param>
/// <param name="SkipEmpty">An empty text sets nothing.</param>
public sealed record FilterStateValue(string Key, TextFormat Value, bool SkipEmpty);

/// <summary>Sets filter state when a connection begins (set_filter_state): the TCP proxy and the HTTP filters behind it read it.</summary>
public sealed class FilterStateFilter(IReadOnlyList<FilterStateValue> values) : NetworkFilterFactory
{
    /// <inheritdoc/>
    public override NetworkFilter Create(TcpSession session) => new Setting(values);

    private sealed class Setting(IReadOnlyList<FilterStateValue> values) : NetworkFilter
    {
        public override NetworkVerdict OnConnection(TcpSession session)
        {
            var text = new ByteBuffer(64);
            foreach (FilterStateValue value in values)
            {
                text.Clear();
                value.Value.Write(session.Facts, text);
                if (text.Length > 0 || !value.SkipEmpty)
                    session.Facts.SetFilterState(value.Key, System.Text.Encoding.UTF8.GetString(text.Written));
            }
            return NetworkVerdict.Continue;
        }
    }
}
