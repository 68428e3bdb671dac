#include "cli/verbs.h"

#include <algorithm>
#include <array>
#include <iostream>
#include <thread>

#include "cli/client.h"

namespace pgmosaic::cli {

namespace {

using node::quote_literal;

// Spreading a table that has rows, or a failover, takes its time; the server bounds them.
constexpr auto kStatementTimeout = 3600s;

constexpr std::array kVerbs{
    Verb{.words = "shard list", .kind = VerbKind::kReads, .help = "Shards, their primaries and state",
         .example = "pgmosaic shard list -o json", .sql = [](const VerbInput&) -> std::string { return "SELECT * FROM mosaic.shards"; }},
    Verb{.words = "shard show", .arguments = "SHARD", .kind = VerbKind::kReads, .help = "The servers of one shard",
         .example = "pgmosaic shard show s1",
         .sql = [](const VerbInput& in) { return "SELECT * FROM mosaic.nodes WHERE shard = " + quote_literal(in.arguments[0]); },
         .object = "shard"},
    Verb{.words = "shard add", .help = "A new, empty shard"},
    Verb{.words = "shard remove", .arguments = "SHARD", .help = "Removes an empty shard"},
    Verb{.words = "shard drain", .arguments = "SHARD", .help = "Moves everything off a shard"},
    Verb{.words = "shard rebalance", .help = "Spreads rows evenly"},
    Verb{.words = "bucket move", .arguments = "[RANGE] [SHARD]", .help = "Moves buckets to another shard"},
    Verb{.words = "table list", .kind = VerbKind::kReads, .help = "Tables and how they are spread",
         .example = "pgmosaic table list", .sql = [](const VerbInput&) -> std::string { return "SELECT * FROM mosaic.tables"; }},
    Verb{.words = "table show", .arguments = "TABLE", .kind = VerbKind::kReads, .help = "How one table is spread",
         .example = "pgmosaic table show orders",
         .sql = [](const VerbInput& in) { return "SELECT * FROM mosaic.tables WHERE name = " + quote_literal(in.arguments[0]); },
         .object = "table"},
    Verb{.words = "table distribute", .arguments = "TABLE --by COL --with OTHER", .kind = VerbKind::kChanges,
         .help = "Spreads a table over the shards by a column", .example = "pgmosaic table distribute orders --by customer_id",
         .sql = [](const VerbInput& in) {
             return "SELECT create_distributed_table(" + quote_literal(in.arguments[0]) + ", " + quote_literal(in.by) +
                    (in.with.empty() ? ")" : ", colocate_with => " + quote_literal(in.with) + ")");
         }},
    Verb{.words = "table reference", .arguments = "TABLE", .kind = VerbKind::kChanges,
         .help = "Keeps a whole copy of a table on every shard", .example = "pgmosaic table reference products",
         .sql = [](const VerbInput& in) { return "SELECT create_reference_table(" + quote_literal(in.arguments[0]) + ")"; }},
    Verb{.words = "table local", .arguments = "TABLE", .kind = VerbKind::kChanges,
         .help = "Brings a table back to the home shard", .example = "pgmosaic table local orders",
         .sql = [](const VerbInput& in) { return "SELECT undistribute_table(" + quote_literal(in.arguments[0]) + ")"; }},
    Verb{.words = "failover", .arguments = "SHARD", .kind = VerbKind::kChanges,
         .help = "Lets the standby take over, whatever the primary does", .example = "pgmosaic failover s1",
         .sql = [](const VerbInput& in) { return "SELECT mosaic.failover(" + quote_literal(in.arguments[0]) + ")"; }},
    Verb{.words = "switchover", .arguments = "SHARD", .kind = VerbKind::kChanges,
         .help = "Primary and standby change places", .example = "pgmosaic switchover s1",
         .sql = [](const VerbInput& in) { return "SELECT mosaic.switchover(" + quote_literal(in.arguments[0]) + ")"; }},
    Verb{.words = "rejoin", .arguments = "NODE", .kind = VerbKind::kChanges, .help = "Makes a former primary a standby",
         .example = "pgmosaic rejoin s1a",
         .sql = [](const VerbInput& in) { return "SELECT mosaic.rebuild_standby(" + quote_literal(in.arguments[0]) + ")"; }},
    Verb{.words = "standby add", .arguments = "SHARD", .kind = VerbKind::kChanges,
         .help = "Gives a shard the standby back that was removed", .example = "pgmosaic standby add s1",
         .sql = [](const VerbInput& in) { return "SELECT mosaic.add_standby(" + quote_literal(in.arguments[0]) + ")"; }},
    Verb{.words = "standby remove", .arguments = "NODE", .kind = VerbKind::kChanges,
         .help = "Takes a standby away; its directory stays", .example = "pgmosaic standby remove s1b",
         .sql = [](const VerbInput& in) { return "SELECT mosaic.remove_standby(" + quote_literal(in.arguments[0]) + ")"; }},
    Verb{.words = "standby rebuild", .arguments = "NODE", .kind = VerbKind::kChanges, .help = "Makes a standby anew",
         .example = "pgmosaic standby rebuild s1b",
         .sql = [](const VerbInput& in) { return "SELECT mosaic.rebuild_standby(" + quote_literal(in.arguments[0]) + ")"; }},
    Verb{.words = "pause", .kind = VerbKind::kChanges, .help = "No failover by itself until resume, or a restart of the endpoint",
         .example = "pgmosaic pause", .sql = [](const VerbInput&) -> std::string { return "SELECT mosaic.pause()"; }},
    Verb{.words = "resume", .kind = VerbKind::kChanges, .help = "Failover again", .example = "pgmosaic resume",
         .sql = [](const VerbInput&) -> std::string { return "SELECT mosaic.resume()"; }},
    Verb{.words = "job list", .help = "Long work and how far it is"},
    Verb{.words = "job show", .arguments = "JOB", .help = "One job"},
    Verb{.words = "job attach", .arguments = "JOB", .help = "Follows a job to its end"},
    Verb{.words = "job cancel", .arguments = "JOB", .help = "Ends a job"},
    Verb{.words = "explain", .arguments = "SQL", .kind = VerbKind::kReads, .help = "Where a statement would go, and why",
         .example = "pgmosaic explain 'SELECT count(*) FROM orders'",
         .sql = [](const VerbInput& in) { return (in.format == Format::kJson ? "EXPLAIN (FORMAT JSON) " : "EXPLAIN ") + in.arguments[0]; }},
    Verb{.words = "verify", .arguments = "[TABLE]", .kind = VerbKind::kReads, .help = "Primary against standby, rows against owners",
         .example = "pgmosaic verify orders",
         .sql = [](const VerbInput& in) {
             return "SELECT * FROM mosaic.verify(" + (in.arguments.empty() ? std::string() : quote_literal(in.arguments[0])) + ")";
         },
         .verdict = "ok"},
    Verb{.words = "backup", .help = "A backup of all shards at one moment"},
    Verb{.words = "restore", .help = "Brings back a backup"},
    Verb{.words = "top", .help = "What runs now"},
    Verb{.words = "events", .kind = VerbKind::kReads, .help = "What happened to shards and servers",
         .example = "pgmosaic events -o json", .sql = [](const VerbInput&) -> std::string { return "SELECT * FROM mosaic.events"; }},
};

Error not_yet(std::string_view words) {
    return Error{.code = sqlstate::kFeatureNotSupported,
                 .message = "\"pgmosaic " + std::string(words) + "\" is not available in this version"};
}

/// Data to standard output; a change that returned one void or empty value has only its word.
void print_rows(const Verb& verb, const VerbInput& input, const node::SqlRows& rows) {
    const bool as_it_is = input.format == Format::kTable || input.format == Format::kWide || input.format == Format::kJson;
    if (verb.words == "explain" && as_it_is) {
        for (const auto& row : rows.rows) std::cout << row[0].value_or("") << '\n';
    } else if (verb.kind == VerbKind::kReads) {
        std::cout << format_rows(rows, input.format);
    } else if (!rows.scalar().empty()) {
        std::cout << rows.scalar() << '\n';
    } else {
        std::cerr << "done\n";
    }
}

/// Wrong rows are a failure; rows that nobody could judge leave the cluster in doubt.
ExitCode judge(const Verb& verb, const node::SqlRows& rows) {
    if (verb.verdict.empty()) return ExitCode::kDone;
    const auto column = std::find(rows.columns.begin(), rows.columns.end(), verb.verdict);
    if (column == rows.columns.end()) return ExitCode::kFailed;
    const auto place = static_cast<std::size_t>(column - rows.columns.begin());
    const auto says = [place](const std::optional<std::string>& word) {
        return [place, word](const auto& row) { return row[place] == word; };
    };
    if (std::any_of(rows.rows.begin(), rows.rows.end(), says("f"))) return ExitCode::kFailed;
    return std::any_of(rows.rows.begin(), rows.rows.end(), says(std::nullopt)) ? ExitCode::kDegraded : ExitCode::kDone;
}

}  // namespace

std::span<const Verb> verbs() { return kVerbs; }

ExitCode run_verb(const Verb& verb, const VerbInput& input, const std::string& cluster) {
    if (verb.sql == nullptr) return fail(not_yet(verb.words));
    const std::string statement = verb.sql(input);
    if (input.dry_run) {
        std::cout << statement << ";\n";
        return ExitCode::kDone;
    }
    Result<node::Sql> sql = connect_cluster(cluster);
    if (!sql) return fail(sql.error());
    const Result<node::SqlRows> rows = sql->run(statement, Deadline::after(kStatementTimeout));
    if (!rows) return fail(rows.error());
    if (!verb.object.empty() && rows->rows.empty()) {
        return fail(Error{.code = sqlstate::kUndefinedObject,
                          .message = std::string(verb.object) + " \"" + input.arguments[0] + "\" does not exist"});
    }
    print_rows(verb, input, *rows);
    return judge(verb, *rows);
}

ExitCode follow_events(const VerbInput& input, const std::string& cluster) {
    std::string last = "0";
    while (true) {
        Result<node::Sql> sql = connect_cluster(cluster);
        if (!sql && last == "0") return fail(sql.error());
        // The endpoint may be restarted under us: asked again, nothing is lost, since events are numbered.
        while (sql) {
            const Result<node::SqlRows> rows =
                sql->run("SELECT * FROM mosaic.events WHERE id > " + last + " ORDER BY id", Deadline::after(30s));
            if (!rows && !rows.error().code.view().starts_with("08")) return fail(rows.error());
            if (!rows) break;
            if (!rows->rows.empty()) {
                std::cout << format_rows(*rows, input.format) << std::flush;
                last = rows->rows.back()[0].value_or(last);
            }
            std::this_thread::sleep_for(500ms);
        }
        std::this_thread::sleep_for(500ms);
    }
}

}  // namespace pgmosaic::cli
