using Envoy.Extensions.Filters.Common.Fault.V3;
using Envoy.Extensions.Filters.Network.MongoProxy.V3;
using Envoy.Extensions.Filters.Network.MysqlProxy.V3;
using Envoy.Extensions.Filters.Network.ZookeeperProxy.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Tcp.Watching;

namespace Lateen.Proxy.Xds.Network;

/// <summary>Network filters that read along: mongo_proxy, mysql_proxy, zookeeper_proxy.</summary>
internal static class WatchTranslators
{
    /// <summary>mongo_proxy.</summary>
    public static MongoFilter? Mongo(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, MongoProxy.Parser, rejections) is not { } m)
            return null;
        if (m.Delay?.FaultDelaySecifierCase == FaultDelay.FaultDelaySecifierOneofCase.HeaderDelay)
            rejections.Add("delay: header_delay is of requests, and this filter sees connections");
        Fraction none = new(0, 100);
        return new MongoFilter(new MongoSeries(translation.Statistics, m.StatPrefix, m.Commands))
        {
            DelayMicros = ValueTranslator.Micros(m.Delay?.FixedDelay),
            DelayShare = m.Delay is null ? none : ValueTranslator.Fraction(m.Delay.Percentage, none),
            TellsOperations = m.EmitDynamicMetadata,
            Runtime = translation.Runtime,
        };
    }

    /// <summary>mysql_proxy.</summary>
    public static MySqlFilter? MySql(Any config, Translation translation, Rejections rejections) =>
        ValueTranslator.Unpack(config, MySQLProxy.Parser, rejections) is { } m
            ? new MySqlFilter(translation.Statistics.Group($"mysql.{m.StatPrefix}.", MySqlFilter.Schema)) : null;

    /// <summary>zookeeper_proxy.</summary>
    public static ZooKeeperFilter? ZooKeeper(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, ZooKeeperProxy.Parser, rejections) is not { } m)
            return null;
        var standard = new ZooKeeperOptions();
        return new ZooKeeperFilter(standard with
        {
            PacketMax = (int)Math.Min(m.MaxPacketBytes ?? (uint)standard.PacketMax, 1 << 26),
            JudgesTime = m.EnableLatencyThresholdMetrics,
            FastMicros = ValueTranslator.Micros(m.DefaultLatencyThreshold, standard.FastMicros),
            FastMicrosOf = Thresholds(m),
            RequestBytes = m.EnablePerOpcodeRequestBytesMetrics,
            ResponseBytes = m.EnablePerOpcodeResponseBytesMetrics,
            Errors = m.EnablePerOpcodeDecoderErrorMetrics,
        }, new ZooKeeperSeries(translation.Statistics, m.StatPrefix));
    }

    // The configuration numbers operations by their place, the protocol otherwise; their names are the same.
    private static Dictionary<int, long> Thresholds(ZooKeeperProxy m)
    {
        var thresholds = new Dictionary<int, long>();
        foreach (LatencyThresholdOverride one in m.LatencyThresholdOverrides)
        {
            if (System.Enum.TryParse(one.Opcode.ToString(), ignoreCase: true, out ZooKeeperOp op))
                thresholds[(int)op] = ValueTranslator.Micros(one.Threshold);
        }
        return thresholds;
    }
}
