#include "coordinator/admin/operate.h"

#include "coordinator/admin/distribute.h"
#include "coordinator/admin/spread.h"

namespace pgmosaic::coordinator {

namespace {

struct Place {
    GroupId group{};
    Bucket bucket{};
};

Task<Place> place_of(Session& session, const Arguments& arguments) {
    const TableFacts table = co_await facts_of(session, session.home(), arguments.at(0));
    if (table.placed.as != Placed::As::kSharded) {
        throw PgError(refusal("table \"" + table.name + "\" is not sharded", "Its rows have no bucket.",
                              "Use create_distributed_table."));
    }
    const ColumnFacts* key = table.find_column(table.placed.key);
    if (key == nullptr) throw PgError(Error{.message = "the shard key of \"" + table.name + "\" is gone"});
    // The server reads the value as it would read it in an INSERT, so every form that it knows is right.
    const auto answer = co_await session.query_shard(
        session.home(),
        "SELECT " + bucket_sql("key") + " FROM (SELECT " + planner::quote_literal(arguments.at(1)) + "::" + key->type_name + " AS key) AS given",
        false);
    session.release_statement_leases();
    co_return Place{table.placed.group, Bucket{static_cast<std::uint16_t>(std::stoi(answer.scalar()))}};
}

std::string first_value(const backend::QueryResult& result) {
    if (result.rows.empty() || result.rows[0].empty()) return result.columns.empty() ? result.tag : "";
    return result.rows[0][0].value_or("");
}

}  // namespace

Task<std::vector<AnswerRow>> bucket_of(Session& session, const Arguments& arguments) {
    const Place place = co_await place_of(session, arguments);
    co_return std::vector<AnswerRow>{{std::to_string(place.bucket.value)}};
}

Task<std::vector<AnswerRow>> shard_of(Session& session, const Arguments& arguments) {
    const Place place = co_await place_of(session, arguments);
    const shardmap::MapPointer map = session.core().cluster().map();
    if (map->owners(place.group) == nullptr) throw PgError(Error{.message = "the table's group is not in the shard map"});
    co_return std::vector<AnswerRow>{{map->shard(map->owner(place.group, place.bucket)).name}};
}

Task<std::vector<AnswerRow>> run_command_on_shards(Session& session, const Arguments& arguments) {
    std::vector<AnswerRow> rows;
    const shardmap::MapPointer map = session.core().cluster().map();
    for (const shardmap::Shard& shard : map->shards()) {
        AnswerRow row{shard.name, "t", std::nullopt};
        try {
            row[2] = first_value(co_await session.query_service(shard.id, arguments.at(0)));
        } catch (const PgError& error) {
            row[1] = "f";
            row[2] = error.error().message;
        }
        rows.push_back(std::move(row));
    }
    co_return rows;
}

Task<> change_primary(Session& session, std::string name, std::function<Task<Result<void>>(ShardId)> change) {
    const shardmap::Shard* shard = session.core().cluster().map()->find_shard(name);
    if (shard == nullptr) {
        throw PgError(Error{.code = sqlstate::kUndefinedObject, .message = "shard \"" + name + "\" does not exist"});
    }
    if (!change) throw PgError(refusal("this endpoint does not drive the servers"));
    const Result<void> done = co_await change(shard->id);
    if (!done) throw PgError(done.error());
}

Task<> change_standby(Session&, std::string name, std::function<Task<Result<void>>(std::string)> change) {
    if (!change) throw PgError(refusal("this endpoint does not drive the servers"));
    const Result<void> done = co_await change(std::move(name));
    if (!done) throw PgError(done.error());
}

void set_automatic_failover(Session& session, bool automatic) {
    const auto& set = session.core().cluster().set_automatic_failover;
    if (!set) throw PgError(refusal("this endpoint does not drive the servers"));
    set(automatic);
}

}  // namespace pgmosaic::coordinator
