using System.Globalization;
using Lateen.Api.Documents;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Operator;

/// <summary>A query string by its fields; what is absent or empty is null.</summary>
public readonly struct QueryFields(IQueryCollection query)
{
    /// <summary>The field's text.</summary>
    public string? this[string name] => query[name].ToString() is { Length: > 0 } text ? text : null;

    /// <summary>The field as a number.</summary>
    public long? Number(string name) =>
        long.TryParse(this[name], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number : null;

    /// <summary>The field as a duration in Go's notation.</summary>
    public TimeSpan? Duration(string name) =>
        this[name] is { } text && Durations.TryParse(text, out var duration) ? duration.ToTimeSpan() : null;
}
