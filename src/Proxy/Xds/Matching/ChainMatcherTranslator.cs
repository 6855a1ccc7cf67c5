using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Matching;
using Xds.Type.Matcher.V3;

namespace Lateen.Proxy.Xds.Matching;

/// <summary>Listener.filter_chain_matcher: a tree over a connection's facts whose leaves are names of chains.</summary>
internal sealed class ChainMatcherTranslator : MatchVocabulary<ConnectionFacts, string>
{
    /// <summary>The tree; null where it can't be served.</summary>
    public static MatchTree<ConnectionFacts, string>? Translate(Matcher matcher, Rejections rejections) =>
        new MatchTreeTranslator<ConnectionFacts, string>(new ChainMatcherTranslator(), rejections).Tree(matcher);

    /// <inheritdoc/>
    public override string? Action(string type, Any config, Rejections rejections)
    {
        if (type == "google.protobuf.StringValue")
            return ValueTranslator.Unpack(config, StringValue.Parser, rejections)?.Value ?? "";
        rejections.Add($"the action of a filter chain matcher must be a chain's name, not {config.TypeUrl}");
        return null;
    }

    /// <inheritdoc/>
    public override MatchInput<ConnectionFacts>? Input(string type, Any config, Rejections rejections)
    {
        const string Inputs = "envoy.extensions.matching.common_inputs.network.v3.";
        ChainInput? found = (type.StartsWith(Inputs, StringComparison.Ordinal) ? type[Inputs.Length..] : type) switch
        {
            "DestinationIPInput" => ChainInput.DestinationIp,
            "DestinationPortInput" => ChainInput.DestinationPort,
            "SourceIPInput" => ChainInput.SourceIp,
            "SourcePortInput" => ChainInput.SourcePort,
            "DirectSourceIPInput" => ChainInput.DirectSourceIp,
            "SourceTypeInput" => ChainInput.SourceType,
            "ServerNameInput" => ChainInput.ServerName,
            "TransportProtocolInput" => ChainInput.TransportProtocol,
            "ApplicationProtocolInput" => ChainInput.ApplicationProtocol,
            _ => null,
        };
        if (found is null)
            rejections.Add($"matching input {type} is not served for filter chains");
        return found is null ? null : new ConnectionInput(found.Value);
    }
}
