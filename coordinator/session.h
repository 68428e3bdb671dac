#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/service_connection.h"
#include "coordinator/access_rules.h"
#include "coordinator/client_seats.h"
#include "coordinator/client_stream.h"
#include "coordinator/commit_token.h"
#include "coordinator/core.h"
#include "coordinator/deadlock/wait_graph.h"
#include "coordinator/internal/alarm.h"
#include "coordinator/internal/sequence_state.h"
#include "coordinator/internal/timeouts.h"
#include "coordinator/relay.h"
#include "coordinator/transaction.h"
#include "planner/planner.h"
#include "wire/messages.h"
#include "wire/reader.h"

namespace pgmosaic::coordinator {

namespace notify {
class Notifier;
}

/// A statement that a client has prepared.
struct PreparedStatement {
    std::string sql;
    std::vector<Oid> types;  ///< as the client declared them
    std::vector<std::string> sql_types;  ///< of PREPARE name (type, …)
    std::uint64_t id = 0;    ///< of text and types on this core's server connections
    bool named = false;
    planner::Planned planned;
    std::uint64_t environment = 0;  ///< what `planned` was made for
    std::shared_ptr<const Description> description;  ///< null: not asked for yet
};
using PreparedPointer = std::shared_ptr<PreparedStatement>;  ///< a portal may outlive the statement's name

/// A statement with its parameters, ready to run.
struct Portal {
    PreparedPointer statement;
    std::vector<char> bind_body;  ///< owns what `bind` points into, also when it has moved
    wire::Bind bind;
    std::optional<ShardId> shard;  ///< it lives on this server session; else it is ours
    std::string rows;              ///< DataRow frames made and not yet fetched
    std::size_t rows_offset = 0;
    std::string tag;
    bool started = false;
    bool done = false;
};

/// One statement to run: where its text and its values are.
struct Request {
    const planner::Statement& statement;
    std::string_view sql;  ///< its own text, without its neighbours in the string
    const std::vector<planner::Literal>& literals;
    const wire::Bind* bind = nullptr;  ///< null: simple protocol
    const PreparedStatement* prepared = nullptr;
    bool alone = false;  ///< the only statement of its query string
    bool simple() const { return bind == nullptr; }
};

/// Takes the messages of an answer that is not the client's: COPY (query) TO STDOUT makes lines of its rows.
class AnswerSink {
   public:
    virtual ~AnswerSink() = default;
    /// Takes all whole messages out of `messages`.
    virtual Task<> take(std::string& messages) = 0;
};

/// The statement failed and the client has been told already.
struct StatementFailed {};

/// Runs SQL on pgmosaic's own session of a shard, in a transaction of its own. Errors: throws the server's, 57P03.
Task<backend::QueryResult> service_query(Core& core, ShardId shard, std::string database, std::string sql);

/// Makes pgmosaic's own tables in every shard's copy of a database; repeatable.
Task<> prepare_database(Core& core, std::string database);
/// Reads the schema of a database from the home shard and publishes it.
Task<std::shared_ptr<const planner::Catalog>> load_catalog(Core& core, std::shared_ptr<Database> database);

/// A client's connection from its first byte to its last.
///
/// Core      the one that accepted it
/// Lifetime  owned by its coroutine; registered in Core::sessions() for cancel requests and views
/// Errors    statements' errors go to the client; a broken protocol or a lost client ends it
class Session {
   public:
    Session(Core& core, asio::generic::stream_protocol::socket socket, ClientOrigin origin, std::uint32_t id);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    Task<> run();

    // -------------------------------------------------------- for others on this core (cancel requests, views, shutdown)
    std::uint32_t id() const { return id_; }
    std::uint32_t secret() const { return secret_; }
    const std::string& user() const { return user_; }
    const std::string& database() const { return database_name_; }
    const std::string& application_name() const { return application_name_; }
    const ClientOrigin& origin() const { return origin_; }
    std::string_view state() const;
    std::string pinned_to() const;
    /// Cancels what runs on the servers for this session.
    void cancel();
    /// What it holds on servers, while it waits for them inside a transaction.
    std::optional<deadlock::Suspect> suspect() const;
    /// Ends the statement that runs since then with this error; nothing happens if it is over, or COMMIT has been sent.
    void break_deadlock(Clock::time_point busy_since, Error error);
    /// Ends the session with 57P01 as soon as it is idle.
    void shut_down();
    /// A channel that it listens to has something to tell.
    void notified(const notify::Notification& notification);

    // -------------------------------------------------------- for the executors (coordinator/execute_*.cc)
    Core& core() { return core_; }
    ClientStream& client() { return client_; }
    Transaction& transaction() { return transaction_; }
    const planner::Environment& environment() const { return environment_; }
    ShardId home() const { return core_.map()->home(); }
    /// All shards but the home shard.
    std::vector<ShardId> other_shards() const;
    const std::string& shard_name(ShardId shard) const { return core_.map()->shard(shard).name; }

    /// A server session for one statement: the transaction's own, or one that is leased for this statement. Settings,
    /// BEGIN and savepoints wait in its output; the answers to skip are counted in `ready_to_skip`.
    Task<Participant*> use_shard(ShardId shard, bool writes);
    /// The same where nothing has to be waited for; else null, and nothing has happened.
    Participant* try_use_shard(ShardId shard, bool writes);
    /// The same for several shards; connections are leased in the order of shards.
    Task<std::vector<Participant*>> use_shards(const std::vector<ShardId>& shards, bool writes);
    /// The session keeps this shard's server session to its end: it has state that cannot move.
    Task<> pin(ShardId shard);
    Task<> unpin_if_free(ShardId shard);
    /// Answers to what put_prelude() put in front are skipped before the statement's own.
    void start_relay(Participant& participant);
    Relay& relay() { return relay_; }
    static void put_bound(backend::Connection& connection, std::string_view sql, const wire::Bind& bind,
                          const std::vector<Oid>& types, bool describe);
    /// Throws what a lost server means for the statement, unless it may be run `again`.
    void on_connection_lost(bool writes, bool again);
    /// What the client is told when a server was lost: 40001 if nothing can have happened, else 08007.
    Error loss_error();
    /// Gives back what use_shard() leased outside of a transaction.
    void release_statement_leases();
    /// Called before a statement goes to a server session: what it may leave there is this client's.
    void note_state(const planner::Statement& statement, backend::Connection& connection);
    SequenceState& sequences() { return sequences_; }
    /// Makes an open transaction of what was autocommit, so that several shards commit together. Returns true if the caller
    /// must finish it with commit() or rollback().
    bool ensure_transaction(std::string begin_sql = "BEGIN");
    Task<> commit();    ///< throws if it could not; nothing is half committed
    Task<> rollback();  ///< never throws
    /// Waits until the shard's standby has what its primary has committed.
    Task<> barrier(ShardId shard);
    /// Of the open transaction, or of the statement that runs without one.
    bool in_transaction() const { return transaction_.open(); }
    Isolation isolation() const { return transaction_.open() ? transaction_.isolation().value_or(default_isolation_) : default_isolation_; }
    /// False after SET mosaic.consistency = eventual: reads of several shards may see a part of a transaction.
    bool one_moment() const;
    /// True if a read of these shards needs a window of its own.
    bool needs_window(std::size_t shards) const;
    Task<moment::Hold> open_window(std::vector<ShardId> shards, Deadline deadline);
    /// Called right before something is sent that may make a change visible on one shard: waits while a window is open.
    Task<> door();
    /// How long this statement waits for what others hold.
    Deadline wait_deadline() const { return Deadline::after(core_.live().wait_timeout); }
    /// Waits for the answers to what put_prelude() put in front. Errors: throws the server's.
    Task<> settle_prelude(Participant& participant);

    /// The shards a key can be on; nullopt if a value cannot be judged here (then any shard may have it).
    std::optional<std::vector<ShardId>> shards_of(GroupId group, Oid key_type, const planner::KeyAlternatives& key,
                                                  const Request& request) const;
    std::optional<ShardId> shard_of_value(GroupId group, Oid key_type, const planner::ValueRef& value, const Request& request) const;
    std::vector<ShardId> shards_of(const planner::Scatter& scatter, const Request& request) const;
    /// The number a LIMIT or OFFSET stands for.
    std::optional<std::int64_t> count_of(const planner::CountRef& count, const Request& request) const;

    /// What PostgreSQL says about a statement, asked on the home shard once per text and schema.
    Task<std::shared_ptr<const Description>> describe(std::string_view sql, const std::vector<Oid>& types);
    /// Runs SQL on one shard in the statement's transaction; rows as text. Errors: throws the server's.
    Task<backend::QueryResult> query_shard(ShardId shard, std::string sql, bool writes);
    /// Runs SQL on pgmosaic's own session, in a transaction of its own.
    Task<backend::QueryResult> query_service(ShardId shard, std::string sql, std::string database = {});
    Task<> refresh_environment();
    void schema_changed();

    /// The message in hand leaves the input buffer now: what follows it is read by an executor (COPY FROM STDIN). Views into
    /// the message are gone afterwards.
    void consume_current_frame();
    const SettingsPointer& settings() const { return settings_; }
    /// A cancel request of the client reaches this connection, too; null: no more.
    void cancels_also(backend::Connection* connection) { cancelled_too_ = connection; }
    /// True if the client's encoding is the servers', so that keys can be hashed as they come.
    bool utf8() const { return utf8_; }
    /// The route's shard, or the plan that holds where the keys do not meet on one.
    const planner::Statement& effective(const planner::Statement& statement, const Request& request,
                                        std::optional<ShardId>& shard);

    /// Answers go to `room` until the next call; flush_answer() has `sink` take them out of it. Null: to the client.
    void redirect_answer(AnswerSink* sink, std::string* room) {
        sink_ = sink;
        answer_ = room;
    }

    /// Room for answers: the client, or the portal that keeps rows for later.
    std::string& answer() { return answer_ ? *answer_ : client_.out(); }
    Task<> flush_answer();
    void complete(const Request& request, std::string tag);

   private:
    friend class ExtendedProtocol;

    // login.cc
    Task<bool> login();
    Task<bool> negotiate();
    Task<> answer_encryption_request(bool tls_wanted);
    void read_startup(std::uint32_t version, std::string_view body);
    Task<> authenticate_and_greet();
    Task<> greet();
    void check_client_limits() const;
    void apply_startup_parameter(const std::string& name, const std::string& value);
    void apply_startup_options(std::string_view options);
    void fatal(Error error);

    // session.cc
    Task<> serve();
    bool handle_now(const wire::Frame& frame);
    void forget_last_message();
    Task<> handle(const wire::Frame& frame, std::exception_ptr failed);
    void check_length(std::string_view header) const;
    Task<> on_statement_error(bool fatal);
    Task<bool> drain_quietly();
    Task<> end_pipeline_quietly();
    void ready();

    // simple.cc
    Task<> simple_query(std::string_view sql);
    Task<> run_statements(const planner::PlannedText& text, std::string_view sql);

    // statement.cc: one statement, either protocol
    Task<> run_statement(const Request& request);
    Task<> run_plan(const Request& request);
    Task<> run_route(const Request& request, ShardId shard);
    Task<> send_and_relay(const Request& request, Participant& participant, ShardId shard, std::string_view sql,
                          const CommitToken& token);
    std::optional<ShardId> resolve(const planner::Route& route, const Request& request) const;
    void check_statement(const planner::Statement& statement) const;
    void check_not_failed() const;
    ShardId any_owner(GroupId group) const;
    static bool is_ascii(std::string_view bytes);
    std::string shard_context(const planner::Statement& statement, ShardId shard) const;
    Task<backend::Lease> lease(ShardId shard);
    Task<Participant*> join(ShardId shard);
    Participant* used(Participant& participant, ShardId shard, bool writes);
    /// True if what is being asked for needs the transaction's one snapshot, and that has not been taken.
    bool lacks_moment() const;
    Task<> open_moment();
    void refuse_second_shard(ShardId shard) const;
    void put_prelude(Participant& participant);
    void put_reset(Participant& participant);
    void forget_state();
    void check_sequences(const planner::Statement& statement) const;

    // kept_servers.cc
    Task<> keep(ShardId shard);
    Task<> give_back_kept();

    // lost_server.cc: an autocommitted statement whose server was lost
    struct Lost {
        bool writes = false;
        CommitToken token{};
        bool answered = false;    ///< all that the client is to get is there, but for ReadyForQuery
        bool repeatable = false;  ///< if nothing has happened and the client has seen nothing
        std::uint64_t answer_begin = 0;
        int attempt = 1;
    };
    enum class AfterLoss : std::uint8_t { kAgain, kDone };
    Task<AfterLoss> after_loss(Lost lost);
    void forget_lost_servers();
    static bool may_carry_token(const planner::Statement& statement);
    void put_token(backend::Connection& connection, const CommitToken& token);
    /// After an error in front of it nobody knows whether the token's statement was prepared.
    static void forget_token_statement(backend::Connection& connection);
    void put_with_token(backend::Connection& connection, std::string_view sql, const CommitToken& token);
    Task<> await_replication();

    // local.cc: what needs no plan
    Task<> run_local(const Request& request);
    Task<> run_transaction_verb(const planner::Statement& statement);
    Task<> run_savepoint(const planner::Statement& statement);
    Task<> run_set(const Request& request);
    void check_own_setting(const planner::Statement& statement) const;
    Task<> show_own(const Request& request);
    Task<std::string> idle_timeout(std::string name);
    /// One row of one text column, described by shown_description().
    void answer_own_row(const Request& request, std::string_view value);
    static std::shared_ptr<const Description> shown_description(const planner::Statement& statement);
    Task<> run_reset_all(const std::string& tag);
    Task<> run_discard(const Request& request);
    Task<> run_sql_prepare(const Request& request);
    Task<> run_sql_execute(const Request& request);
    void run_sql_deallocate(const Request& request);

    // snapshots.cc
    Task<> export_snapshot(const Request& request);
    Task<> import_snapshot(const std::string& text);

    // notifications.cc
    /// While it lives, what a server session notifies is this client's.
    class Announcement {
       public:
        Announcement() = default;
        Announcement(notify::Notifier& notifier, ShardId shard, int pid) : notifier_(&notifier), shard_(shard), pid_(pid) {}
        Announcement(Announcement&& other) noexcept : notifier_(std::exchange(other.notifier_, nullptr)), shard_(other.shard_), pid_(other.pid_) {}
        Announcement& operator=(Announcement&&) = delete;
        ~Announcement();
        bool made() const { return notifier_ != nullptr; }
        ShardId shard() const { return shard_; }

       private:
        notify::Notifier* notifier_ = nullptr;
        ShardId shard_{};
        int pid_ = 0;
    };
    Task<> run_listen(const planner::Statement& statement);
    Task<std::set<std::string>> channels_at_commit();
    Task<> listen_to(std::set<std::string> target);
    void keep_channels(const std::set<std::string>& target);
    void tell_notifications();
    static bool announces(const planner::Statement& statement);
    Announcement announce(Participant& participant);
    Task<> hear_announcement(const Announcement& announcement);
    void show_channels(const Request& request);

    // time_limits.cc
    const Timeouts& timeouts();
    void bound_statement();
    void bound_idling();
    Task<> settle_cancels();
    void check_not_cancelled() const;

    // cursors.cc
    struct Cursor {
        std::optional<ShardId> shard{};  ///< it lives there; else its rows are kept here
        std::string rows{};              ///< RowDescription and DataRow frames
        std::size_t offset = 0;
        bool holds = false;           ///< WITH HOLD
        bool of_transaction = false;  ///< declared in the transaction that is open …
        std::size_t savepoints = 0;   ///< … behind so many savepoints
    };
    void note_server_cursor(const planner::Statement& statement, ShardId shard);
    void forget_cursors(bool committed);
    /// Those that were declared behind so many savepoints.
    void forget_cursors_behind(std::size_t savepoints);
    Task<std::shared_ptr<const Description>> describe_cursor(std::string name);
    Task<> declare_cursor(const Request& request);
    Task<> run_cursor(const Request& request);
    void fetch_kept(Cursor& cursor, const planner::Statement& statement, bool simple);
    Task<> on_all_participants(std::string sql);
    Task<> after_settings_change(const std::string& name);
    Task<> refresh_identity();
    Task<> read_own_schema();
    bool environment_changed_since(std::uint64_t catalog_version) const;
    bool environment_is_current() const;

    // commit.cc
    Task<> commit_one(Participant& writer);
    Task<> commit_several(std::vector<Participant*> writers);
    Task<> end_transaction(bool committed);

    // extended.cc
    Task<> on_parse(std::string_view body);
    Task<> on_bind(std::string_view body);
    Portal read_portal(std::string_view body) const;
    bool bind_now(std::string_view body);
    void bind_on(Participant& participant, const std::string& name, const Portal& portal);
    bool describe_now(std::string_view body);
    bool execute_now(std::string_view body);
    void execute_on(Participant& participant, const std::string& name, std::int32_t rows_max);
    Task<> on_describe(std::string_view body);
    Task<> on_execute(std::string_view body);
    Task<> on_close(std::string_view body);
    Task<> on_sync();
    /// `ends`: the server's ReadyForQuery may be the client's.
    Task<> on_sync_pipeline(bool ends);
    Task<bool> finish_pipeline(bool forward);
    Task<> replay_pipeline();
    [[noreturn]] void lost_before_sync();
    Task<> on_flush();
    Task<> drain();
    Task<> replan(PreparedStatement& statement);
    Task<Participant*> pipeline_to(ShardId shard, bool writes);
    Participant* try_pipeline_to(ShardId shard, bool writes);
    void begin_pipeline(Participant& participant, ShardId shard);
    bool ready_to_bind(const PreparedStatement& prepared) const;
    bool needs_description(const PreparedStatement& prepared, const planner::Statement& statement) const;
    Task<> prepare_to_bind(PreparedStatement& prepared);
    std::optional<ShardId> shard_of_bind(const Portal& portal);
    Task<> leave_pipeline();
    void local_answer(std::string bytes);
    void note_bind(const planner::Statement& statement, const std::string& portal);
    void put_parse(Participant& participant, const PreparedStatement& statement);
    void put_bind(Participant& participant, const std::string& name, const Portal& portal);
    void forget_server_statements(backend::Connection& connection);
    bool wants_description(const planner::Statement& statement) const;
    void check_parameter_count(const PreparedStatement& prepared, const wire::Bind& bind) const;
    void check_statement_in_pipeline(const planner::Statement& statement) const;
    bool describe_on_server(const std::string& name);
    Task<> describe_portal(const std::string& name);
    Task<std::shared_ptr<const Description>> describe_any(const PreparedStatement& statement);
    Task<> execute_own(Portal& portal, std::int32_t rows_max);
    void hand_out(Portal& portal, std::int32_t rows_max);
    void describe_fields(std::string& out, const Description& description, const wire::Bind* bind) const;
    PreparedPointer find_prepared(std::string_view name) const;

    static constexpr std::size_t kServerStatementsMax = 500;
    static constexpr std::size_t kPipelineBytesMax = 65536;  ///< that are put before a server before it is asked to answer

    Core& core_;
    ClientStream client_;
    ClientOrigin origin_;
    std::uint32_t id_;
    std::uint32_t secret_;
    std::string user_;
    std::string database_name_;
    std::string application_name_;
    std::shared_ptr<Database> database_;
    SettingsPointer settings_;
    planner::Environment environment_;
    std::uint64_t environment_catalog_ = 0;
    bool utf8_ = true;  ///< the client's encoding is the servers': keys can be hashed as they are
    Transaction transaction_;
    std::map<ShardId, Participant> statement_leases_;
    std::map<ShardId, backend::Lease> pinned_;  ///< server sessions with state that cannot move, and those in kept_
    std::set<ShardId> kept_;                    ///< pinned by pool.mode session alone
    const bool keeps_servers_;                  ///< pool.mode session
    ClientSeats::Seat seat_;
    Relay relay_;
    planner::Planned planned_;  ///< reused by simple queries
    std::string* answer_ = nullptr;  ///< where answers go instead of the client
    AnswerSink* sink_ = nullptr;     ///< who takes them from there
    bool answer_kept_ = false;
    bool busy_ = false;
    bool stopping_ = false;
    bool terminated_ = false;

    std::unordered_map<std::string, PreparedPointer> prepared_;
    PreparedPointer unnamed_;
    std::map<std::string, Portal, std::less<>> portals_;
    std::map<std::string, Cursor> cursors_;
    std::set<std::string> channels_;  ///< that it listens to
    std::string notifications_;       ///< NotificationResponse frames that wait for the end of a transaction
    bool skip_until_sync_ = false;
    std::uint64_t state_ = 0;          ///< under which servers keep state of ours (Connection::owner); 0: there is none
    SequenceState sequences_;
    Participant* pipeline_ = nullptr;  ///< where messages of this pipeline go
    std::optional<ShardId> pipeline_shard_;
    bool pipeline_executed_ = false;
    /// One message of a pipeline to one shard, so that it can be sent to another server.
    struct PipelineStep {
        enum class Kind : std::uint8_t { kBind, kDescribe, kExecute, kLocal } kind = Kind::kBind;
        std::string text{};  ///< the portal, or an answer of ours
        std::int32_t rows_max = 0;
    };
    std::vector<PipelineStep> pipeline_steps_;
    bool pipeline_replayable_ = false;   ///< the steps are all there is, and nobody has been answered
    bool pipeline_tokens_ = false;       ///< all its writes may carry a token
    std::uint64_t pipeline_begin_ = 0;   ///< of its answers
    ShardId relay_shard_{};              ///< whose answers the relay passes on
    SettingsPointer startup_settings_;
    bool own_tables_ = false;  ///< temporary tables: the schema is read through our own server session
    std::uint64_t own_tables_seen_ = 0;
    bool identity_stale_ = true;  ///< role, search_path or encoding may have changed
    bool ready_sent_ = false;  ///< the server's ReadyForQuery has gone to the client
    bool consumed_ = false;    ///< the message in hand has left the buffer already
    Isolation default_isolation_ = Isolation::kReadCommitted;
    /// What server sessions are being asked for: statements, the catalog (which needs no moment), or what takes no snapshot.
    enum class Use : std::uint8_t { kStatement, kCatalog, kNoSnapshot } use_ = Use::kStatement;
    struct Using {
        Using(Session& session, Use use) : session(session), before(std::exchange(session.use_, use)) {}
        ~Using() { session.use_ = before; }
        Using(const Using&) = delete;
        Using& operator=(const Using&) = delete;
        Session& session;
        Use before;
    };
    static Use use_of(const planner::Statement& statement);
    bool committing_ = false;  ///< COMMIT may have been sent: no cancel is forwarded
    backend::Connection* cancelled_too_ = nullptr;  ///< works for this session, but is no participant
    bool cancelled_ = false;
    bool cancel_sent_ = false;  ///< it may still be on its way to some server
    Alarm alarm_;               ///< the statement's bound, or the idle client's
    Timeouts timeouts_;
    SettingsPointer timeouts_for_;  ///< what `timeouts_` was read from, and from how many local settings
    std::size_t timeouts_locals_ = 0;
    Clock::time_point busy_since_{};
    std::string committing_gid_;         ///< prepared on some shards, not finished yet
    std::optional<Error> deadlock_;      ///< what the client is told instead of "canceled"
};

}  // namespace pgmosaic::coordinator
