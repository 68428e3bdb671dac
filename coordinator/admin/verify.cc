#include "coordinator/admin/verify.h"

#include <algorithm>

#include "backend/service_connection.h"
#include "coordinator/admin/distribute.h"
#include "coordinator/admin/spread.h"
#include "coordinator/admin/verify_standby.h"

namespace pgmosaic::coordinator {

namespace {

using shardmap::Node;
using shardmap::NodeState;
using shardmap::Shard;

constexpr auto kConnectMax = 5s;
constexpr auto kScanMax = 1h;
// A reference table is written on all shards at almost, not quite, the same moment.
constexpr int kLooksAtCopies = 5;

/// Every ordinary or partitioned table of a database; partitions are read with theirs.
constexpr const char* kTables =
    "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), COALESCE(t.placement, 'l'), "
    "(SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attnum = t.key_column), t.group_id, c.relpersistence "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_mosaic.tables t ON t.relid = c.oid "
    "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' "
    "AND n.nspname NOT IN ('information_schema', 'mosaic') ORDER BY 1";

struct Checked {
    std::string name{};
    Placed placed{};
    bool logged = true;
};

using Checks = std::vector<Checked>;
using Verdicts = std::vector<AnswerRow>;

std::string truth(bool value) { return value ? "t" : "f"; }

AnswerRow failed_row(const std::string& shard, const std::string& check, const std::string& table, const Error& error) {
    return {shard, check, table, std::nullopt, "not compared: " + error.message};
}

class Verifier {
   public:
    Verifier(Session& session, shardmap::MapPointer map) : session_(session), map_(std::move(map)) {}

    /// Of one table, or of all if `only` is empty.
    Task<Verdicts> run(std::string only);

   private:
    Task<Checks> tables(std::string only);
    Task<Result<backend::QueryResult>> ask(const Shard& shard, std::string sql);
    backend::ServerAddress address(const Node& node) const {
        return session_.core().cluster().options().service_address(node.host, node.port, session_.database());
    }
    Task<> owners(const Checked& table);
    Task<> copies(const Checked& table);
    Task<bool> copies_agree(const Checked& table);
    Task<> only_at_home(const Checked& table);
    Task<> standby(const Shard& shard, const Checks& tables);

    Session& session_;
    const shardmap::MapPointer map_;
    Verdicts answers_;
};

Task<Result<backend::QueryResult>> Verifier::ask(const Shard& shard, std::string sql) {
    auto connection = co_await backend::ServiceConnection::open(address(shard.primary_node()), Deadline::after(kConnectMax));
    if (!connection) co_return connection.error();
    co_return co_await (*connection)->query(std::move(sql), Deadline::after(kScanMax));
}

Task<Checks> Verifier::tables(std::string only) {
    const auto found = co_await ask(*map_->find_shard(session_.shard_name(session_.home())), kTables);
    if (!found) throw PgError(found.error());
    Checks tables;
    for (const auto& row : found->rows) {
        Checked table{.name = row[0].value_or(""), .logged = row[4] == "p"};
        if (!only.empty() && table.name != only) continue;
        table.placed.as = row[1] == "s" ? Placed::As::kSharded : row[1] == "r" ? Placed::As::kReference : Placed::As::kLocal;
        table.placed.key = row[2].value_or("");
        if (row[3]) table.placed.group = GroupId{static_cast<decltype(GroupId::value)>(std::stoi(*row[3]))};
        tables.push_back(std::move(table));
    }
    if (tables.empty() && !only.empty()) {
        throw PgError(refusal("table " + only + " cannot be verified", "It is not a table of this database, or a part of one.",
                              "Verify the table that it is a partition of."));
    }
    co_return tables;
}

Task<> Verifier::owners(const Checked& table) {
    const shardmap::Ownership* owned = map_->owners(table.placed.group);
    if (owned == nullptr) throw PgError(Error{.message = "the group of table " + table.name + " is not in the shard map"});
    for (const Shard& shard : map_->shards()) {
        const auto counted = co_await ask(shard, "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE NOT " +
                                                     owned_sql(*owned, shard.id, table.placed.key) + ") FROM " + table.name);
        if (!counted) {
            answers_.push_back(failed_row(shard.name, "owners", table.name, counted.error()));
            continue;
        }
        const std::string strays = counted->rows[0][1].value_or("");
        answers_.push_back({shard.name, "owners", table.name, truth(strays == "0"),
                            counted->rows[0][0].value_or("") + " rows, " + strays + " of other shards' buckets"});
    }
}

Task<> Verifier::copies(const Checked& table) {
    const std::size_t begin = answers_.size();
    for (int looks = 1;; ++looks) {
        answers_.resize(begin);
        const bool agree = co_await copies_agree(table);
        if (agree || looks == kLooksAtCopies) co_return;
    }
}

Task<bool> Verifier::copies_agree(const Checked& table) {
    std::optional<std::string> first;
    bool agree = true;
    for (const Shard& shard : map_->shards()) {
        const auto sum = co_await ask(shard, table_sum_sql(table.name));
        if (!sum) {
            answers_.push_back(failed_row(shard.name, "copies", table.name, sum.error()));
            continue;
        }
        if (!first) first = sum->scalar();
        const bool same = sum->scalar() == *first;
        agree = agree && same;
        answers_.push_back({shard.name, "copies", table.name, truth(same), sum->scalar()});
    }
    co_return agree;
}

Task<> Verifier::only_at_home(const Checked& table) {
    for (const Shard& shard : map_->shards()) {
        if (shard.id == session_.home()) continue;
        const auto kind = co_await ask(shard, "SELECT pg_catalog.count(*) FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') AND oid = "
                                              "pg_catalog.to_regclass(" + planner::quote_literal(table.name) + ")");
        if (!kind || kind->scalar() == "0") continue;
        const auto rows = co_await ask(shard, "SELECT pg_catalog.count(*) FROM " + table.name);
        if (!rows) {
            answers_.push_back(failed_row(shard.name, "owners", table.name, rows.error()));
        } else if (rows->scalar() != "0") {
            answers_.push_back({shard.name, "owners", table.name, truth(false), rows->scalar() + " rows of a local table away from home"});
        }
    }
}

Task<> Verifier::standby(const Shard& shard, const Checks& tables) {
    for (const Node& node : shard.nodes) {
        if (node.id == shard.primary) continue;
        for (const Checked& table : tables) {
            const bool elsewhere = table.placed.as == Placed::As::kLocal && shard.id != session_.home();
            if (elsewhere || !table.logged) continue;
            if (node.state != NodeState::kReady) {
                answers_.push_back({shard.name, "standby " + node.name, table.name, std::nullopt, "not compared: it is being made anew"});
                continue;
            }
            const auto compared = co_await compare_with_standby(address(shard.primary_node()), address(node), table.name);
            if (compared) {
                answers_.push_back({shard.name, "standby " + node.name, table.name, truth(compared->same), compared->detail});
            } else {
                answers_.push_back(failed_row(shard.name, "standby " + node.name, table.name, compared.error()));
            }
        }
    }
}

Task<Verdicts> Verifier::run(std::string only) {
    const Checks checks = co_await tables(std::move(only));
    for (const Checked& table : checks) {
        switch (table.placed.as) {
            case Placed::As::kSharded: co_await owners(table); break;
            case Placed::As::kReference: co_await copies(table); break;
            case Placed::As::kLocal: co_await only_at_home(table); break;
        }
    }
    for (const Shard& shard : map_->shards()) co_await standby(shard, checks);
    co_return std::move(answers_);
}

}  // namespace

Task<std::vector<AnswerRow>> verify(Session& session, const Arguments& arguments) {
    std::string name;
    if (arguments[0]) {
        const TableFacts table = co_await facts_of(session, session.home(), *arguments[0]);
        session.release_statement_leases();
        name = table.qualified();
    }
    Verifier verifier(session, session.core().cluster().map());
    co_return co_await verifier.run(std::move(name));
}

}  // namespace pgmosaic::coordinator
