#include <algorithm>

#include "coordinator/execute.h"
#include "coordinator/internal/retire_servers.h"
#include "coordinator/login.h"
#include "coordinator/session.h"
#include "planner/plan_details.h"

/// SET, RESET, SHOW and DISCARD: what the session keeps itself, and what its servers are told.
namespace pgmosaic::coordinator {

using planner::Command;

namespace {

constexpr Oid kShownType = 25;

/// What SET changes for the transaction alone, LOCAL or not.
bool is_of_transaction(const std::string& name) {
    return name == "transaction" || name == "transaction_isolation" || name == "transaction_read_only" || name == "transaction_deferrable";
}

/// What the client asked for when it connected: RESET goes back to it, as it does within one server session.
const Setting* startup_setting(const SettingsPointer& at_startup, const std::string& name) {
    if (!at_startup) return nullptr;
    const auto& values = at_startup->values;
    const auto found = std::find_if(values.begin(), values.end(), [&](const Setting& setting) { return setting.name == name; });
    return found == values.end() ? nullptr : &*found;
}

/// The same for the transaction only: set_config('…', '…', false) becomes …, true).
std::string for_transaction_only(const std::string& set_config) {
    constexpr std::string_view kForSession = ", false)";
    PGM_CHECK(set_config.ends_with(kForSession), "a startup setting is a call of set_config for the session");
    return set_config.substr(0, set_config.size() - kForSession.size()) + ", true)";
}

/// Runs SQL whose answer is nobody's, but for the parameters that it changes.
Task<> change_quietly(Session& session, backend::Connection& connection, std::string sql) {
    const auto before = connection.parameters();
    const auto result = co_await backend::run_query(connection, sql, Deadline::never());
    if (!result) throw PgError(result.error());
    for (const auto& [name, value] : connection.parameters()) {
        const auto old = before.find(name);
        if (old == before.end() || old->second != value) wire::write_parameter_status(session.client().out(), name, value);
    }
}

/// What a SET has made of DateStyle: its style and its order of fields may be set apart, and another server must be told both.
std::string whole_date_style(const backend::Connection& connection, bool local, std::string sql) {
    const auto style = connection.parameters().find("DateStyle");
    if (style == connection.parameters().end()) return sql;
    return (local ? "SET LOCAL datestyle TO " : "SET datestyle TO ") + planner::quote_literal(style->second);
}

}  // namespace

/// Settings of ours: the servers keep any value, so it is judged here.
void Session::check_own_setting(const planner::Statement& statement) const {
    const std::string name = lower(statement.name);
    if (name != "mosaic.consistency" || statement.argument.empty()) return;
    const std::string value = lower(statement.argument);
    if (value == "'strict'" || value == "'eventual'") return;
    throw PgError(Error{.code = sqlstate::kInvalidParameterValue,
                        .message = "invalid value for parameter \"mosaic.consistency\": " + statement.argument,
                        .hint = "Available values: strict, eventual."});
}

std::shared_ptr<const Description> Session::shown_description(const planner::Statement& statement) {
    auto description = std::make_shared<Description>();
    description->returns_rows = true;
    const std::string name = statement.command == Command::kShow ? lower(statement.name) : statement.arguments.at(0);
    description->fields.push_back({.name = name, .type = kShownType});
    return description;
}

void Session::answer_own_row(const Request& request, std::string_view value) {
    if (request.simple()) wire::write_row_description(answer(), shown_description(request.statement)->fields);
    wire::FrameWriter(answer(), 'D').int16(1).int32(static_cast<std::int32_t>(value.size())).bytes(value);
}

/// What it is for this session, or by default on the servers.
Task<std::string> Session::idle_timeout(std::string name) {
    const Timeouts& own = timeouts();
    const Clock::duration time = name == "idle_session_timeout" ? own.idle_session : own.idle_in_transaction;
    if (time.count() > 0) co_return shown_time(time);
    const auto at_home = co_await query_shard(home(), "SHOW " + name, false);
    co_return at_home.scalar();
}

Task<> Session::show_own(const Request& request) {
    const planner::Statement& statement = request.statement;
    const std::string name = lower(statement.name);
    if (is_idle_timeout(name)) {
        const std::string value = co_await idle_timeout(name);
        answer_own_row(request, value);
        wire::write_command_complete(answer(), "SHOW");
        if (!transaction_.open()) release_statement_leases();
        co_return;
    }
    if (name != "mosaic.consistency") {
        throw PgError(Error{.code = sqlstate::kUndefinedObject,
                            .message = "unrecognized configuration parameter \"" + statement.name + "\""});
    }
    answer_own_row(request, one_moment() ? "strict" : "eventual");
    wire::write_command_complete(answer(), "SHOW");
}

Task<> Session::run_set(const Request& request) {
    const planner::Statement& statement = request.statement;
    if (statement.command == Command::kReset && statement.name == "all") {
        co_await run_reset_all("RESET");
        co_return;
    }
    if (statement.name == "transaction snapshot") {
        co_await import_snapshot(statement.argument);
        co_return;
    }
    check_own_setting(statement);
    // The home shard judges the value and reports what changed; the others are told when they are next used.
    std::string name = lower(statement.name);
    if (name == "session_authorization") name = "session authorization";  // as the parser calls it, and as the settings do
    const bool resets = statement.command == Command::kReset || statement.argument.empty();
    const Setting* at_startup = resets ? startup_setting(startup_settings_, name) : nullptr;
    std::string sql(request.sql);
    if (at_startup != nullptr) sql = statement.local ? for_transaction_only(at_startup->sql) : at_startup->sql;
    Participant* participant = co_await use_shard(home(), false);
    start_relay(*participant);
    if (at_startup == nullptr) {
        wire::write_query(participant->connection().out(), sql);
        relay_.expect({.kind = Expect::Kind::kQuery});
    }
    co_await relay_.drain(participant->connection(), client_);
    if (relay_.failed()) {
        release_statement_leases();
        throw StatementFailed{};
    }
    if (at_startup != nullptr) {
        co_await change_quietly(*this, participant->connection(), sql);
        wire::write_command_complete(answer(), statement.tag);
    } else if (is_idle_timeout(name)) {
        co_await change_quietly(*this, participant->connection(), "RESET " + name);  // judged there, kept here
    } else if (name == "datestyle" && !resets) {
        sql = whole_date_style(participant->connection(), statement.local, std::move(sql));
    }
    if (transaction_.open() && !is_idle_timeout(name)) {
        for (auto& [shard, other] : transaction_.participants()) {
            if (&other == participant) continue;
            const auto result = co_await backend::run_query(other.connection(), sql, Deadline::never());
            if (!result) throw PgError(result.error());
        }
    }
    if (statement.local || is_of_transaction(name)) {
        if (transaction_.open()) transaction_.local_settings().push_back(sql);
        if (is_of_transaction(name)) transaction_.note_modes(sql);
    } else {
        // Who takes another identity leaves the role that was taken under the old one.
        if (name == "session authorization") settings_ = core_.settings().without(settings_, "role");
        if (at_startup != nullptr) settings_ = core_.settings().with(settings_, *at_startup);
        else settings_ = resets ? core_.settings().without(settings_, name) : core_.settings().with(settings_, {name, sql});
        for (auto& [shard, other] : transaction_.participants()) other.connection().settings = settings_;
        participant->connection().settings = settings_;
    }
    release_statement_leases();
    co_await after_settings_change(name);
}

Task<> Session::after_settings_change(const std::string& name) {
    if (name == "application_name" || name == "all") {
        for (const Setting& setting : settings_->values) {
            if (setting.name == "application_name") application_name_ = setting.sql;
        }
    }
    if (name == "search_path" || name == "role" || name == "session authorization" || name == "all" ||
        name == "client_encoding" || name == "standard_conforming_strings" || name == "default_transaction_isolation" ||
        name == "session characteristics") {
        identity_stale_ = true;
    }
    co_return;
}

Task<> Session::run_reset_all(const std::string& tag) {
    Participant* participant = co_await use_shard(home(), false);
    backend::Connection& connection = participant->connection();
    start_relay(*participant);
    co_await relay_.drain(connection, client_);
    const auto before = connection.parameters();
    SettingsPointer target = startup_settings_;
    for (const Setting& setting : settings_->values) {
        if (setting.name == "role" || setting.name == "session authorization") target = core_.settings().with(target, setting);
    }
    settings_ = target;
    const std::string change = settings_change(static_cast<const SettingsState*>(connection.settings.get()), *settings_);
    if (!change.empty()) {
        const auto result = co_await backend::run_query(connection, change, Deadline::never());
        if (!result) throw PgError(result.error());
    }
    connection.settings = settings_;
    for (const auto& [name, value] : connection.parameters()) {
        const auto old = before.find(name);
        if (old == before.end() || old->second != value) wire::write_parameter_status(client_.out(), name, value);
    }
    for (auto& [shard, other] : transaction_.participants()) {
        if (&other == participant) continue;
        const auto result = co_await backend::run_query(other.connection(), change, Deadline::never());
        if (!result) throw PgError(result.error());
        other.connection().settings = settings_;
    }
    release_statement_leases();
    co_await after_settings_change("all");
    wire::write_command_complete(answer(), tag);
}

Task<> Session::run_discard(const Request& request) {
    const std::string what = lower(request.statement.name);
    if (what == "all") {
        if (transaction_.open()) {
            throw PgError(Error{.code = sqlstate::kActiveSqlTransaction,
                                .message = "DISCARD ALL cannot run inside a transaction block"});
        }
        for (auto& [shard, lease] : pinned_) lease.discard();
        pinned_.clear();
        prepared_.clear();
        portals_.clear();
        cursors_.clear();
        forget_state();
        keep_channels({});
        settings_ = core_.settings().with(settings_, {"role", "RESET ROLE"});
        settings_ = core_.settings().without(core_.settings().without(settings_, "role"), "session authorization");
        co_await run_reset_all("DISCARD ALL");
        co_return;
    }
    for (auto& [shard, lease] : pinned_) {
        const auto result = co_await backend::run_query(*lease, request.sql, Deadline::after(10s));
        if (!result) throw PgError(result.error());
    }
    if (what == "sequences") {
        if (transaction_.find(home()) != nullptr && !pinned_.contains(home())) co_await query_shard(home(), "DISCARD SEQUENCES", false);
        forget_state();
    }
    wire::write_command_complete(answer(), "DISCARD " + std::string(what == "temp" || what == "temporary" ? "TEMP" : what == "plans" ? "PLANS" : "SEQUENCES"));
}

}  // namespace pgmosaic::coordinator
