// Plans of SELECTs over several shards, carried out here and compared with the same statement on one plain server.
//
// Databases of one server stand for it all: `plain` has every row, `s0` (home), `s1` and `s2` a third each, `bench` none.
// PGM_SELECTS names a folder with schema.sql, data.sql and queries.sql (one statement a line) to be used instead of ours.
// PGM_LONG=1 asks many more random queries, PGM_SEED begins at another place.

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "coordinator/internal/workbench_objects.h"
#include "coordinator/merge/internal/bytes.h"
#include "coordinator/merge/merger.h"
#include "planner/planner.h"
#include "tests/component/own_server.h"
#include "tests/component/query_generator.h"

namespace pgmosaic {
namespace {

using planner::PlanKind;

struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using ResultSet = std::unique_ptr<PGresult, Clear>;

constexpr std::size_t kShards = 3;
const std::filesystem::path kOwnFolder = "tests/component/select_parity";

struct Answer {
    std::string error{};  // SQLSTATE and message
    std::vector<std::pair<std::string, Oid>> columns{};
    std::vector<std::string> rows{};
};

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        if (!line.empty() && line.substr(0, 2) != "--") lines.push_back(line);
    }
    return lines;
}

std::string cell(const PGresult* rows, int row, int column) {
    if (PQgetisnull(rows, row, column)) return "<null>";
    return {PQgetvalue(rows, row, column), static_cast<std::size_t>(PQgetlength(rows, row, column))};
}

Answer answer_of(const PGresult* result) {
    Answer answer;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        answer.error = std::string(state ? state : "") + " " + PQresultErrorMessage(result);
        return answer;
    }
    // The types of users have other OIDs in each database.
    constexpr Oid kUserOid = 16384;
    for (int c = 0; c < PQnfields(result); ++c) answer.columns.emplace_back(PQfname(result, c), std::min(PQftype(result, c), kUserOid));
    for (int r = 0; r < PQntuples(result); ++r) {
        std::string row;
        for (int c = 0; c < PQnfields(result); ++c) row += cell(result, r, c) + "|";
        answer.rows.push_back(row);
    }
    return answer;
}

// True if the statement itself, and not something in parentheses, has ORDER BY.
bool is_ordered(std::string_view sql) {
    int depth = 0;
    for (std::size_t i = 0; i < sql.size(); ++i) {
        if (sql[i] == '(') ++depth;
        if (sql[i] == ')') --depth;
        if (depth == 0 && sql.substr(i, 8) == "ORDER BY") return true;
    }
    return false;
}

bool same(const Answer& a, const Answer& b, bool ordered) {
    if (a.columns != b.columns) return false;
    if (ordered) return a.rows == b.rows;
    std::vector<std::string> left = a.rows, right = b.rows;
    std::sort(left.begin(), left.end());
    std::sort(right.begin(), right.end());
    return left == right;
}

std::string show(const Answer& answer) {
    std::string text = answer.error + "\n    ";
    for (const auto& [name, type] : answer.columns) text += name + ":" + std::to_string(type) + " ";
    for (std::size_t i = 0; i < std::min<std::size_t>(answer.rows.size(), 8); ++i) text += "\n    " + answer.rows[i];
    return text + "\n    " + std::to_string(answer.rows.size()) + " rows";
}

class SelectParity : public ::testing::Test {
   protected:
    static void SetUpTestSuite() {
        const char* given = std::getenv("PGM_SELECTS");
        folder_ = given ? std::filesystem::path(given) : kOwnFolder;
        server_ = std::make_unique<testing::OwnServer>();
        Connection admin = connect("postgres");
        for (const char* name : {"plain", "plain2", "s0", "s1", "s2", "bench"}) must(*admin, std::string("CREATE DATABASE ") + name);
        plain_ = connect("plain");
        plain2_ = connect("plain2");
        bench_ = connect("bench");
        for (std::size_t i = 0; i < kShards; ++i) shards_[i] = connect("s" + std::to_string(i));
        for (PGconn* each : {plain_.get(), plain2_.get(), shards_[0].get(), shards_[1].get(), shards_[2].get()}) {
            must(*each, read_file(folder_ / "schema.sql"));
            must(*each, read_file(folder_ / "data.sql"));
            must(*each, read_file(kOwnFolder / "random_schema.sql"));
            must(*each, read_file(kOwnFolder / "random_data.sql"));
        }
        must(*shards_[0], planner::kRegistrySchema);
        must(*shards_[0], coordinator::kWorkbenchObjects);
        must(*bench_, coordinator::kWorkbenchRebuild);
        ResultSet objects(PQexec(shards_[0].get(), "SELECT pg_catalog.quote_literal(pg_mosaic.workbench_objects())"));
        must(*bench_, "SELECT pg_mosaic.rebuild(" + std::string(PQgetvalue(objects.get(), 0, 0)) + ", '1')");
        place(lines_of(read_file(folder_ / "placement.txt")));
        place(lines_of(read_file(kOwnFolder / "random_placement.txt")));
        ResultSet document(PQexec(shards_[0].get(), planner::kCatalogQuery));
        ASSERT_EQ(PQntuples(document.get()), 1) << PQerrorMessage(shards_[0].get());
        environment_.catalog = planner::Catalog::from_json(PQgetvalue(document.get(), 0, 0), 1).value();
    }
    static void TearDownTestSuite() {
        for (Connection* each : {&plain_, &plain2_, &bench_, &shards_[0], &shards_[1], &shards_[2]}) each->reset();
        server_.reset();
    }

    static Connection connect(const std::string& database) {
        Connection connection(PQconnectdb((server_->conninfo() + " options='-c client_min_messages=error'").c_str()));
        connection.reset(PQconnectdb(
            ("host=" + std::string(PQhost(connection.get())) + " user=postgres dbname=" + database).c_str()));
        EXPECT_EQ(PQstatus(connection.get()), CONNECTION_OK) << PQerrorMessage(connection.get());
        must(*connection, "SET client_min_messages = error; SET timezone = 'UTC'; SET statement_timeout = '20s'");
        return connection;
    }
    static void must(PGconn& connection, const std::string& sql) {
        ResultSet result(PQexec(&connection, sql.c_str()));
        EXPECT_TRUE(PQresultStatus(result.get()) == PGRES_COMMAND_OK || PQresultStatus(result.get()) == PGRES_TUPLES_OK)
            << sql.substr(0, 500) << "\n"
            << PQerrorMessage(&connection);
    }
    static void must(PGconn* connection, const std::string& sql) { must(*connection, sql); }

    /// Lines are `sharded TABLE KEY`, `reference TABLE`, `local TABLE`. Takes from each shard what others own.
    static void place(const std::vector<std::string>& lines) {
        for (const std::string& line : lines) {
            std::istringstream words(line);
            std::string kind, table, key;
            words >> kind >> table >> key;
            const std::string id = "'" + table + "'::regclass";
            if (kind == "reference") must(*shards_[0], "INSERT INTO pg_mosaic.tables VALUES (" + id + ", 'r')");
            if (kind == "sharded") {
                must(*shards_[0], "INSERT INTO pg_mosaic.tables SELECT attrelid, 's', attnum, CASE WHEN atttypid = 'text'::regtype THEN 2 "
                                  "WHEN attrelid::regclass::text = 't4' THEN 3 ELSE 1 END FROM pg_attribute WHERE attrelid = " + id + " AND attname = '" + key + "'");
            }
            for (std::size_t i = 0; i < kShards; ++i) {
                const std::string hash = "(hash_record_extended(ROW(" + key + "), 8816678312871386365) & 65535) % 3";
                if (kind == "sharded") must(*shards_[i], "DELETE FROM " + table + " WHERE " + hash + " <> " + std::to_string(i));
                if (kind == "local" && i > 0) must(*shards_[i], "DELETE FROM " + table);
            }
            // The other order of rows on the second plain server shows which statements do not say what they want.
            must(*plain2_, "CREATE TEMP TABLE turned AS SELECT * FROM " + table + " ORDER BY md5(" + table + "::text)");
            must(*plain2_, "DELETE FROM " + table);
            must(*plain2_, "INSERT INTO " + table + " SELECT * FROM turned; DROP TABLE turned");
        }
        must(*plain2_, "SET enable_hashagg = off; SET enable_hashjoin = off; SET enable_indexscan = off");
    }

    static Answer ask(PGconn* connection, const std::string& sql) {
        ResultSet result(PQexec(connection, sql.c_str()));
        return answer_of(result.get());
    }

    static std::optional<std::int64_t> count_of(const planner::CountRef& count, const planner::Planned& planned) {
        if (!count) return std::nullopt;
        const bool literal = count->from == planner::ValueRef::From::kLiteral;
        return std::stoll(literal ? planned.literals.at(count->index).value : count->constant.value);
    }

    static void append_value(const PGresult* rows, int row, int column, std::string& body) {
        const bool null = PQgetisnull(rows, row, column);
        const int length = PQgetlength(rows, row, column);
        merge::append(null ? std::int32_t{-1} : std::int32_t{length}, body);
        if (!null) body.append(PQgetvalue(rows, row, column), static_cast<std::size_t>(length));
    }

    static Answer scatter(const planner::Statement& statement, const planner::Planned& planned, const std::string& sql) {
        const planner::Scatter& plan = *statement.scatter;
        const std::string& shard_sql = plan.shard_sql.empty() ? sql : plan.shard_sql;
        std::array<ResultSet, kShards> text, binary;
        for (std::size_t i = 0; i < kShards; ++i) {
            text[i].reset(PQexec(shards_[i].get(), shard_sql.c_str()));
            if (PQresultStatus(text[i].get()) != PGRES_TUPLES_OK) return answer_of(text[i].get());
            binary[i].reset(PQexecParams(shards_[i].get(), shard_sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1));
        }
        const int columns = PQnfields(text[0].get());
        EXPECT_EQ(columns, plan.merge.visible + plan.merge.hidden);
        std::vector<merge::ColumnFormat> formats;
        Answer answer;
        for (int c = 0; c < plan.merge.visible; ++c) {
            formats.push_back({PQftype(text[0].get(), c), false});
            answer.columns.emplace_back(PQfname(text[0].get(), c), PQftype(text[0].get(), c));
        }
        expect_types(plan.merge, text[0].get());
        auto merger = merge::Merger::make(plan.merge, kShards, formats, count_of(plan.merge.limit, planned), count_of(plan.merge.offset, planned));
        std::string out;
        for (std::size_t i = 0; i < kShards; ++i) {
            for (int r = 0; r < PQntuples(text[i].get()); ++r) {
                std::string body;
                merge::append(static_cast<std::uint16_t>(columns), body);
                for (int c = 0; c < columns; ++c) append_value(c < plan.merge.visible ? text[i].get() : binary[i].get(), r, c, body);
                merger->row(i, body);
            }
            merger->input_done(i);
        }
        merger->drain(out, ~std::size_t{0} >> 1);
        EXPECT_TRUE(merger->finished());
        for (std::string_view left = out; !left.empty();) {
            const auto length = merge::load<std::uint32_t>(left.data() + 1);
            answer.rows.push_back(row_text(left.substr(5, length - 4)));
            left.remove_prefix(1 + length);
        }
        return answer;
    }

    /// The types that the planner promised for hidden columns.
    static void expect_types(const planner::MergeSpec& merge, const PGresult* rows) {
        for (const auto& keys : {merge.order_by, merge.group_by}) {
            for (const planner::SortKey& key : keys) EXPECT_EQ(key.type, PQftype(rows, key.column));
        }
        for (const planner::OutputColumn& output : merge.outputs) {
            EXPECT_TRUE(output.input_type == 0 || output.input_type == PQftype(rows, output.input));
        }
        for (std::size_t i = 0; i < merge.outputs.size(); ++i) {
            const Oid type = merge.outputs[i].output_type;
            EXPECT_TRUE(type == 0 || type == PQftype(rows, static_cast<int>(i)));
        }
    }

    static std::string row_text(std::string_view body) {
        std::string row;
        std::size_t at = 2;
        for (int c = merge::load<std::int16_t>(body.data()); c > 0; --c) {
            const auto length = merge::load<std::int32_t>(body.data() + at);
            at += 4;
            row += length < 0 ? "<null>" : std::string(body.substr(at, static_cast<std::size_t>(length)));
            row += "|";
            at += static_cast<std::size_t>(std::max(length, 0));
        }
        return row;
    }

    static std::string copy_out(PGconn* connection, const std::string& sql, std::string& data) {
        ResultSet started(PQexec(connection, ("COPY (" + sql + ") TO STDOUT").c_str()));
        if (PQresultStatus(started.get()) != PGRES_COPY_OUT) return PQresultErrorMessage(started.get());
        for (char* line = nullptr; PQgetCopyData(connection, &line, 0) > 0; PQfreemem(line)) data += line;
        std::string error;
        for (ResultSet end(PQgetResult(connection)); end; end.reset(PQgetResult(connection))) {
            if (PQresultStatus(end.get()) != PGRES_COMMAND_OK) error = PQresultErrorMessage(end.get());
        }
        return error;
    }

    static Answer workbench(const planner::Workbench& plan) {
        must(*bench_, "DISCARD TEMP");
        for (const planner::Pull& pull : plan.pulls) {
            must(*bench_, "CREATE TEMP TABLE " + pull.name + " (" + pull.definition + ")");
            std::string data;
            const std::size_t count = pull.from == planner::Pull::From::kAllShards ? kShards : 1;
            for (std::size_t i = 0; i < count; ++i) {
                const std::string error = copy_out(shards_[i].get(), pull.shard_sql, data);
                if (!error.empty()) return {.error = error + pull.shard_sql};
            }
            ResultSet started(PQexec(bench_.get(), ("COPY " + pull.name + " FROM STDIN").c_str()));
            EXPECT_EQ(PQresultStatus(started.get()), PGRES_COPY_IN) << PQresultErrorMessage(started.get()) << pull.definition;
            PQputCopyData(bench_.get(), data.data(), static_cast<int>(data.size()));
            PQputCopyEnd(bench_.get(), nullptr);
            for (ResultSet end(PQgetResult(bench_.get())); end; end.reset(PQgetResult(bench_.get()))) {
                EXPECT_EQ(PQresultStatus(end.get()), PGRES_COMMAND_OK) << PQresultErrorMessage(end.get()) << pull.shard_sql << pull.definition;
            }
        }
        return ask(bench_.get(), plan.final_sql);
    }

    static std::string plan_text(const planner::Statement& statement) {
        std::string text = statement.reason;
        if (statement.scatter) text += "\n  scatter: " + statement.scatter->shard_sql;
        if (statement.workbench) {
            for (const planner::Pull& pull : statement.workbench->pulls) text += "\n  " + pull.name + " (" + pull.definition + "): " + pull.shard_sql;
            text += "\n  final: " + statement.workbench->final_sql;
        }
        if (statement.refusal) text += "\n  refused: " + statement.refusal->message;
        return text;
    }

    struct Verdict {
        const char* kind = "other";
        std::string plan{};
        std::string difference{};
    };

    /// `exact`: the statement's ORDER BY is total.
    static Verdict check(const std::string& sql, bool exact) {
        planner::Planned planned;
        planner_.plan(sql, environment_, planned);
        const planner::Statement* statement = planned.text->syntax_error ? nullptr : &planned.text->statements.at(0);
        if (!statement) return {.difference = planned.text->syntax_error->message};
        while (statement->plan == PlanKind::kRoute && statement->route.otherwise) statement = statement->route.otherwise.get();
        Verdict verdict{.kind = kind_of(statement->plan), .plan = plan_text(*statement)};
        ++counts_[verdict.kind];
        if (statement->plan == PlanKind::kRefuse) ++refusals_[statement->refusal->message];
        if (!statement->scatter && !statement->workbench) return verdict;
        const Answer plain = ask(plain_.get(), sql);
        if (plain.error.substr(0, 5) == "57014") {
            ++counts_["timeout"];
            return verdict;
        }
        const Answer ours = answer(*statement, planned, sql);
        if (!plain.error.empty()) {
            if (ours.error.empty()) verdict.difference = "\n  plain: " + plain.error + "\n  ours: " + show(ours);
            ++counts_["error"];
            return verdict;
        }
        const Answer turned = ask(plain2_.get(), sql);
        if (!same(plain, turned, false)) {
            ++counts_["undetermined"];
            return verdict;
        }
        const bool ordered = exact && is_ordered(sql) && same(plain, turned, true);
        if (!ours.error.empty() || !same(plain, ours, ordered)) verdict.difference = "\n  plain: " + show(plain) + "\n  ours: " + show(ours);
        return verdict;
    }

    static const char* kind_of(PlanKind plan) {
        if (plan == PlanKind::kScatter) return "scatter";
        if (plan == PlanKind::kWorkbench) return "workbench";
        return plan == PlanKind::kRefuse ? "refuse" : "other";
    }

    static Answer answer(const planner::Statement& statement, const planner::Planned& planned, const std::string& sql) {
        try {
            return statement.scatter ? scatter(statement, planned, sql) : workbench(*statement.workbench);
        } catch (const PgError& error) {
            return {.error = std::string(error.error().code.view()) + " " + error.error().message};
        }
    }

    static void print_counts() {
        for (const auto& [kind, count] : counts_) std::printf("%s %d\n", kind.c_str(), count);
        for (const auto& [message, count] : refusals_) std::printf("  %d %s\n", count, message.c_str());
        counts_.clear();
        refusals_.clear();
    }

    static inline planner::Planner planner_{4000};
    static inline std::map<std::string, int> counts_, refusals_;
    static inline std::filesystem::path folder_;
    static inline std::unique_ptr<testing::OwnServer> server_;
    static inline Connection plain_, plain2_, bench_;
    static inline std::array<Connection, kShards> shards_;
    static inline planner::Environment environment_;
};

// A line may begin with the plan that it must get: `scatter:`, `workbench:`, `refuse:`.
TEST_F(SelectParity, EveryPlanGivesThePlainServersAnswer) {
    for (const std::string& line : lines_of(read_file(folder_ / "queries.sql"))) {
        const std::size_t colon = line.find(": ");
        const std::string wanted = colon < 12 ? line.substr(0, colon) : "";
        const Verdict verdict = check(wanted.empty() ? line : line.substr(colon + 2), !wanted.empty());
        EXPECT_TRUE(wanted.empty() || wanted == verdict.kind) << line << "\n" << verdict.kind << ": " << verdict.plan;
        EXPECT_EQ(verdict.difference, "") << line << "\n" << verdict.plan;
    }
    print_counts();
}

TEST_F(SelectParity, RandomQueriesGiveThePlainServersAnswer) {
    const char* seed = std::getenv("PGM_SEED");
    const auto first = static_cast<std::uint32_t>(seed ? std::stoul(seed) : 1);
    const std::uint32_t queries = std::getenv("PGM_LONG") ? 20000 : 300;
    must(*plain_, "SET statement_timeout = '300ms'");
    int shown = 0;
    for (std::uint32_t i = 0; i < queries && shown < 10; ++i) {
        const std::string sql = testing::QueryGenerator(first * 1'000'003 + i).query();
        const Verdict verdict = check(sql, false);
        const bool good = verdict.difference.empty() && std::string_view(verdict.kind) != "refuse";
        if (!good) ++shown;
        EXPECT_TRUE(good) << "seed " << first << ", query " << i << ": " << sql << "\n" << verdict.plan << verdict.difference;
    }
    print_counts();
}

}  // namespace
}  // namespace pgmosaic
