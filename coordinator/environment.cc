#include <functional>

#include "coordinator/admin/admin.h"
#include "coordinator/admin/sizes.h"
#include "coordinator/commit_token.h"
#include "coordinator/decision.h"
#include "coordinator/internal/workbench_objects.h"
#include "coordinator/internal/workbench_pull.h"
#include "coordinator/session.h"

/// What a session's plans depend on: the schema, the search path, the role, the encoding.
namespace pgmosaic::coordinator {

namespace {

constexpr const char* kIdentityQuery =
    "SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(false)), current_user, "
    "pg_catalog.current_setting('client_encoding'), pg_catalog.current_setting('standard_conforming_strings'), "
    "'isolation ' || pg_catalog.current_setting('default_transaction_isolation')";

/// The strings of a JSON array of strings; schema names hold no escapes but \" and \\.
std::vector<std::string> strings_of(std::string_view json) {
    std::vector<std::string> all;
    std::string current;
    bool inside = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (!inside) {
            inside = c == '"';
        } else if (c == '\\' && i + 1 < json.size()) {
            current += json[++i];
        } else if (c == '"') {
            all.push_back(std::exchange(current, {}));
            inside = false;
        } else {
            current += c;
        }
    }
    return all;
}

std::uint64_t fingerprint_of(const planner::Environment& environment) {
    std::string text = std::to_string(environment.catalog->version()) + '\0' + environment.role;
    for (const std::string& schema : environment.search_path) text += '\0' + schema;
    text += environment.standard_conforming_strings ? '1' : '0';
    text += environment.has_temporary_tables ? '1' : '0';
    return std::hash<std::string>{}(text);
}

/// The catalog as the session's own transaction sees it. Definitions of views lock what they name: in a transaction those locks would
/// stay to its end, a savepoint gives them back.
Task<std::shared_ptr<const planner::Catalog>> read_catalog_here(Session& session, std::uint64_t version) {
    const bool inside = session.transaction().open();
    if (inside) co_await session.query_shard(session.home(), "SAVEPOINT pgm_catalog", false);
    const auto document = co_await session.query_shard(session.home(), planner::kCatalogQuery, false);
    if (inside) co_await session.query_shard(session.home(), "ROLLBACK TO SAVEPOINT pgm_catalog;RELEASE SAVEPOINT pgm_catalog", false);
    auto catalog = planner::Catalog::from_json(document.scalar(), version);
    if (!catalog) throw PgError(catalog.error());
    co_return *catalog;
}

}  // namespace

/// The registry and the table of decisions, in every shard's copy of the database; once per process and database. A comment
/// on the schema says which version of it is there: after a restart most often ours, and clients wait for this.
Task<> prepare_database(Core& core, std::string database) {
    const std::string schema = std::string(planner::kRegistrySchema) + ";" + kDecisionSchema + ";" + kTokenSchema + ";" + kWorkbenchSchema +
                               ";" + kWorkbenchObjects + ";" + kAdminSchema + ";" + kSizeSchema + ";" +
                               kSequenceSchema;
    const std::string stamp = "made by pgmosaic, version " + std::to_string(std::hash<std::string>{}(schema));
    for (ShardId shard : core.map()->shard_ids()) {
        const auto found = co_await service_query(
            core, shard, database, "SELECT pg_catalog.obj_description(pg_catalog.to_regnamespace('pg_mosaic'), 'pg_namespace')");
        if (found.scalar() == stamp) continue;
        co_await service_query(core, shard, database,
                               "BEGIN;SET LOCAL allow_system_table_mods = on;SET LOCAL client_min_messages = warning;"
                               "SELECT pg_catalog.pg_advisory_xact_lock(7001);" +
                                   schema + ";COMMENT ON SCHEMA pg_mosaic IS '" + stamp + "';COMMIT");
    }
}

Task<std::shared_ptr<const planner::Catalog>> load_catalog(Core& core, std::shared_ptr<Database> database) {
    if (!database->prepared()) {
        co_await prepare_database(core, database->name());
        database->set_prepared();
    }
    const std::uint64_t version = database->next_version();
    const auto document = co_await service_query(core, core.map()->home(), database->name(), planner::kCatalogQuery);
    auto catalog = planner::Catalog::from_json(document.scalar(), version);
    if (!catalog) throw PgError(catalog.error());
    database->publish(*catalog);
    co_return *catalog;
}

bool Session::environment_changed_since(std::uint64_t) const {
    return identity_stale_ || transaction_.changed_catalog || environment_catalog_ != database_->version();
}

void Session::schema_changed() {
    own_tables_seen_ = 0;
    if (transaction_.open()) {
        transaction_.changed_catalog = true;
        transaction_.catalog.reset();
    } else {
        database_->invalidate();
    }
}

/// The hot path: nothing that plans depend on has changed, and refresh_environment() would find nothing to do.
bool Session::environment_is_current() const {
    return !own_tables_ && !identity_stale_ && !transaction_.changed_catalog && environment_catalog_ != 0 &&
           environment_catalog_ == database_->version();
}

Task<> Session::refresh_environment() {
    if (own_tables_ && !(transaction_.open() && transaction_.changed_catalog)) {
        co_await read_own_schema();
        co_return;
    }
    const bool own = transaction_.open() && transaction_.changed_catalog;
    if (!identity_stale_ && !own && environment_catalog_ == database_->version() && environment_catalog_ != 0) co_return;
    if (transaction_.failed() && environment_.catalog) co_return;
    if (own) {
        if (!transaction_.catalog) {
            const Using use(*this, Use::kCatalog);
            transaction_.catalog = co_await read_catalog_here(*this, database_->next_version());
        }
        environment_.catalog = transaction_.catalog;
        environment_catalog_ = 0;
    } else {
        auto catalog = database_->catalog();
        if (!catalog) catalog = co_await load_catalog(core_, database_);
        environment_.catalog = catalog;
        environment_catalog_ = catalog->version();
    }
    co_await refresh_identity();
    environment_.fingerprint = fingerprint_of(environment_);
}

/// With temporary tables the schema is what our own server session sees; it is read again when anybody's changes.
Task<> Session::read_own_schema() {
    if (transaction_.failed()) co_return;
    auto shared = database_->catalog();
    if (!shared) shared = co_await load_catalog(core_, database_);
    if (!identity_stale_ && own_tables_seen_ == shared->version() && environment_catalog_ == own_tables_seen_) co_return;
    environment_.catalog = co_await read_catalog_here(*this, database_->next_version());
    if (!transaction_.open()) release_statement_leases();
    own_tables_seen_ = environment_catalog_ = shared->version();
    environment_.has_temporary_tables = true;
    co_await refresh_identity();
    environment_.fingerprint = fingerprint_of(environment_);
}

Task<> Session::refresh_identity() {
    const std::string key = database_name_ + '\0' + user_ + '\0' + std::to_string(environment_.catalog->version());
    auto identity = transaction_.open() ? nullptr : core_.find_identity(key, settings_);
    if (!identity) {
        const Using use(*this, Use::kCatalog);
        const auto row = co_await query_shard(home(), kIdentityQuery, false);
        if (!transaction_.open()) release_statement_leases();
        auto fresh = std::make_shared<Identity>();
        fresh->settings = settings_;
        fresh->search_path = strings_of(row.rows.at(0).at(0).value_or("[]"));
        fresh->role = row.rows[0].at(1).value_or("");
        const std::string encoding = row.rows[0].at(2).value_or("UTF8");
        fresh->utf8 = encoding == "UTF8" || encoding == "SQL_ASCII";
        fresh->standard_conforming_strings = row.rows[0].at(3) != "off";
        fresh->isolation = isolation_in(row.rows[0].at(4).value_or("")).value_or(Isolation::kReadCommitted);
        if (!transaction_.open()) core_.keep_identity(key, fresh);
        identity = fresh;
    }
    environment_.search_path = identity->search_path;
    environment_.role = identity->role;
    environment_.standard_conforming_strings = identity->standard_conforming_strings;
    utf8_ = identity->utf8;
    default_isolation_ = identity->isolation;
    identity_stale_ = false;
}

Task<std::shared_ptr<const Description>> Session::describe(std::string_view sql, const std::vector<Oid>& types) {
    std::string key = std::to_string(environment_.fingerprint) + '\0' + user_ + '\0' + database_name_ + '\0';
    for (Oid type : types) key += std::to_string(type) + ',';
    key += '\0';
    key += sql;
    if (auto known = core_.find_description(key)) co_return known;

    // The Sync behind it would end what the pipeline has begun.
    if (pipeline_ != nullptr) co_await leave_pipeline();
    const bool inside = transaction_.open();
    const Using use(*this, Use::kCatalog);
    Participant* participant = co_await use_shard(home(), false);
    backend::Connection& connection = participant->connection();
    co_await settle_prelude(*participant);
    // Parse locks what the statement names. In a transaction that lock would stay, and two clients that both have it and then
    // want the stronger one of a reference write would wait for each other: a savepoint gives it back.
    if (inside) wire::write_query(connection.out(), "SAVEPOINT pgm_describe");
    wire::write_parse(connection.out(), "", sql, types);
    wire::write_describe(connection.out(), 'S', "");
    wire::write_sync(connection.out());
    if (inside) wire::write_query(connection.out(), "ROLLBACK TO SAVEPOINT pgm_describe;RELEASE SAVEPOINT pgm_describe");
    connection.unnamed_statement = 0;
    co_await connection.write();
    auto description = std::make_shared<Description>();
    std::optional<Error> failure;
    for (int answers = inside ? 3 : 1; answers > 0;) {
        const wire::Frame frame = co_await connection.next();
        if (frame.type == 't') description->parameters = wire::read_types(frame.body);
        if (frame.type == 'T') {
            description->fields = wire::read_row_description(frame.body);
            description->returns_rows = true;
        }
        if (frame.type == 'E' && !failure) failure = wire::read_error(frame.body);
        if (frame.type == 'Z') --answers;
        connection.consume(frame);
    }
    if (!inside) release_statement_leases();
    if (failure) throw PgError(*failure);
    core_.keep_description(key, description);
    co_return description;
}

}  // namespace pgmosaic::coordinator
