using System.Buffers.Binary;
using System.Text;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Tcp.Watching;

/// <summary>Counts logins and queries of MySQL (mysql_proxy), and tells which tables a query touches.</summary>
/// <param name="stats">Its counters, <see cref="Schema"/>, under <c>mysql.PREFIX.</c>.</param>
public sealed class MySqlFilter(StatGroup stats) : NetworkFilterFactory
{
    private const int Sessions = 0, LoginAttempts = 1, LoginFailures = 2, DecoderErrors = 3, ProtocolErrors = 4, UpgradedToSsl = 5,
        AuthSwitchRequest = 6, QueriesParsed = 7, QueriesParseError = 8;

    /// <summary>What is counted.</summary>
    public static readonly StatSchema Schema = StatSchema.Counters("sessions", "login_attempts", "login_failures", "decoder_errors",
        "protocol_errors", "upgraded_to_ssl", "auth_switch_request",
        "queries_parsed", "queries_parse_error");

    /// <inheritdoc/>
    public override NetworkFilter Create(TcpSession session) => new Watch(stats.Of(session.Connection.Worker.Index));

    private enum State
    {
        Greeting,
        Login,
        Encrypted,
        LoginAnswer,
        SwitchAnswer,
        MoreAnswers,
        Resync,
        Request,
        Answer,
        Failed,
    }

    /// <summary>One client's connection: packets of a length, a number that counts up in each exchange, and a content (MySQL's "Protocol
    /// Basics").</summary>
    private sealed class Watch(StatCells cells) : ProtocolWatch
    {
        private const string Namespace = "envoy.filters.network.mysql_proxy";
        private const int HeadLength = 4, EncryptionRequestLength = 32;
        private const int CapabilityTls = 0x0800;
        private const byte Ok = 0, More1 = 1, Switch = 0xfe, Err = 0xff, Query = 3;

        private State _state;
        private int _expected;

        // A query may have sixteen megabytes; what is longer than the bound is not watched.
        protected override int MessageMax => 1 << 18;

        public override NetworkVerdict OnConnection(TcpSession session)
        {
            cells.Count(Sessions);
            return NetworkVerdict.Continue;
        }

        protected override bool OnBroken(TcpSession session)
        {
            cells.Count(DecoderErrors);
            return false;
        }

        protected override int Take(TcpSession session, ReadOnlySpan<byte> bytes, bool fromClient)
        {
            if (_state == State.Encrypted)
                return bytes.Length;
            if (bytes.Length < HeadLength)
                return More;
            int length = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16), number = bytes[3];
            if (bytes.Length < HeadLength + length)
                return More;
            if (number != _expected)
            {
                // The answer is over and the client asks again; anything else is out of order, and passed over.
                if (_state != State.Answer || number != 0)
                {
                    cells.Count(ProtocolErrors);
                    return HeadLength + length;
                }
                (_expected, _state) = (0, State.Request);
            }
            _expected = (_expected + 1) & 0xff;
            _state = Packet(session, bytes.Slice(HeadLength, length), fromClient);
            return HeadLength + length;
        }

        private State Packet(TcpSession session, ReadOnlySpan<byte> content, bool fromClient)
        {
            switch (_state)
            {
                case State.Greeting:
                    cells.Count(LoginAttempts);
                    return State.Login;
                case State.Login:
                    return OnLogin(content);
                case State.LoginAnswer:
                    return content.IsEmpty ? State.Failed : OnLoginAnswer(content[0]);
                case State.SwitchAnswer:
                    return State.MoreAnswers;
                case State.MoreAnswers:
                    return fromClient ? State.MoreAnswers : content.IsEmpty ? State.Failed : OnFurtherAnswer(content[0]);
                case State.Resync or State.Request:
                    OnCommand(session, content);
                    return State.Answer;
                default:
                    return _state;
            }
        }

        private State OnLogin(ReadOnlySpan<byte> content)
        {
            bool encrypts = content.Length >= 2 && (BinaryPrimitives.ReadUInt16LittleEndian(content) & CapabilityTls) != 0;
            if (encrypts)
                cells.Count(UpgradedToSsl);
            return encrypts && content.Length == EncryptionRequestLength ? State.Encrypted : State.LoginAnswer;
        }

        private State OnLoginAnswer(byte code)
        {
            switch (code)
            {
                case Ok:
                    _expected = 0;
                    return State.Request;
                case Switch:
                    cells.Count(AuthSwitchRequest);
                    return State.SwitchAnswer;
                case Err:
                    cells.Count(LoginFailures);
                    return State.Failed;
                default:
                    return code == More1 ? State.MoreAnswers : State.Failed;
            }
        }

        private State OnFurtherAnswer(byte code)
        {
            switch (code)
            {
                case Ok:
                    _expected = 0;
                    return State.Request;
                case Err:
                    cells.Count(LoginFailures);
                    _expected = 0;
                    return State.Resync;
                default:
                    return code == More1 ? State.MoreAnswers : State.Failed;
            }
        }

        private void OnCommand(TcpSession session, ReadOnlySpan<byte> content)
        {
            if (content.IsEmpty || content[0] is not Query)
                return;
            session.Facts.ClearMetadata(Namespace);
            List<(string Table, string Operation)> touched = [];
            if (!SqlTables.TryRead(Encoding.UTF8.GetString(content[1..]), touched))
            {
                cells.Count(QueriesParseError);
                return;
            }
            cells.Count(QueriesParsed);
            foreach ((string table, string operation) in touched)
                session.Facts.AppendMetadata(Namespace, table, operation);
        }
    }
}
