#include "tests/component/split_checker.h"

#include <algorithm>
#include <charconv>

#include "coordinator/merge/internal/bytes.h"
#include "coordinator/merge/merger.h"

namespace pgmosaic::testing {

using planner::PlanKind;
using planner::Statement;

namespace {

constexpr GroupId kFirstGroup{1};
constexpr GroupId kSecondGroup{2};
constexpr int kKeys = 3;
const char* const kFolder = "tests/component/select_parity/";

std::string file_text(const std::string& path) {
    std::ifstream file(path);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

bool is_sharded(const std::string& table) { return table == "a" || table == "b" || table == "c"; }

std::string literals(const TinyData::Row& row) {
    std::string text;
    for (const auto& value : row) text += (text.empty() ? "" : ", ") + (value ? std::to_string(*value) : "NULL");
    return "(" + text + ")";
}

// The statement's own ORDER BY; those of the tests name all columns, but for ties.
bool is_ordered(std::string_view sql) {
    int depth = 0;
    for (std::size_t i = 0; i < sql.size(); ++i) {
        if (sql[i] == '(') ++depth;
        if (sql[i] == ')') --depth;
        if (depth == 0 && sql.substr(i, 8) == "ORDER BY") return sql.find("WITH TIES") == std::string_view::npos;
    }
    return false;
}

bool are_same(std::vector<std::string> a, std::vector<std::string> b, bool ordered) {
    if (ordered) return a == b;
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    return a == b;
}

std::string body_of(const PGresult* rows, int row) {
    std::string body;
    const int columns = PQnfields(rows);
    merge::append(static_cast<std::uint16_t>(columns), body);
    for (int c = 0; c < columns; ++c) {
        const bool null = PQgetisnull(rows, row, c);
        const int length = PQgetlength(rows, row, c);
        merge::append(null ? std::int32_t{-1} : std::int32_t{length}, body);
        if (!null) body.append(PQgetvalue(rows, row, c), static_cast<std::size_t>(length));
    }
    return body;
}

std::string show_value(std::string_view value) {
    if (value.size() == 4) return std::to_string(merge::load<std::int32_t>(value.data()));
    if (value.size() == 8) return std::to_string(merge::load<std::int64_t>(value.data()));
    std::string text;
    for (const char byte : value) text += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4], text += "0123456789abcdef"[byte & 15];
    return "x" + text;
}

std::string show_rows(const std::string& error, const std::vector<std::string>& rows) {
    std::string text = error;
    for (const std::string& body : rows) {
        text += "\n    ";
        std::size_t at = 2;
        for (int c = merge::load<std::int16_t>(body.data()); c > 0; --c) {
            const auto length = merge::load<std::int32_t>(body.data() + at);
            at += 4;
            text += (length < 0 ? "NULL" : show_value(std::string_view(body).substr(at, static_cast<std::size_t>(length)))) + " | ";
            at += static_cast<std::size_t>(std::max(length, 0));
        }
    }
    return text + "\n    (" + std::to_string(rows.size()) + " rows)";
}

std::optional<std::int64_t> count_of(const planner::CountRef& count, const planner::Planned& planned) {
    if (!count) return std::nullopt;
    const bool literal = count->from == planner::ValueRef::From::kLiteral;
    const planner::Literal& value = literal ? planned.literals.at(count->index) : count->constant;
    if (value.kind == planner::Literal::Kind::kNull) return std::nullopt;
    return std::stoll(value.value);
}

}  // namespace

// ---------------------------------------------------------------- rows and how they are split

TinyData TinyData::random(std::mt19937& random, unsigned rows_max) {
    const std::map<std::string, std::size_t> columns{{"a", 3}, {"b", 3}, {"c", 3}, {"r", 2}, {"l", 2}};
    TinyData data;
    for (const auto& [table, width] : columns) {
        auto& rows = data.tables[table];
        rows.resize(random() % (rows_max + 1));
        for (Row& row : rows) {
            row.emplace_back(static_cast<int>(random() % kKeys));
            while (row.size() < width) {
                const int value = static_cast<int>(random() % 4) - 1;
                row.push_back(value < 0 ? std::nullopt : std::optional<int>(value));
            }
        }
    }
    return data;
}

std::string TinyData::show() const {
    std::string text;
    for (const auto& [table, rows] : tables) {
        text += "\n    " + table + ":";
        for (const Row& row : rows) text += " " + literals(row);
    }
    return text;
}

std::size_t Split::owner(GroupId group, int key) const {
    if (key < 0 || key >= kKeys) return static_cast<std::size_t>(key & 1);
    return ((group == kSecondGroup ? second : first) >> key) & 1U;
}

std::vector<Split> all_splits(const TinyData& data, std::mt19937& random) {
    unsigned present[2] = {0, 0};
    for (const auto& [table, rows] : data.tables) {
        if (!is_sharded(table)) continue;
        for (const auto& row : rows) present[table == "c" ? 1 : 0] |= 1U << *row.front();
    }
    constexpr unsigned kAll = 1U << kKeys;
    const unsigned absent[2] = {static_cast<unsigned>(random()) % kAll & ~present[0], static_cast<unsigned>(random()) % kAll & ~present[1]};
    std::vector<Split> splits;
    for (unsigned first = 0; first < kAll; ++first) {
        for (unsigned second = 0; second < kAll; ++second) {
            if ((first & ~present[0]) != 0 || (second & ~present[1]) != 0) continue;
            splits.push_back({.first = first | absent[0], .second = second | absent[1]});
        }
    }
    return splits;
}

// ---------------------------------------------------------------- servers

SplitChecker::SplitChecker() {
    Connection admin = connect("postgres");
    for (const char* name : {"plain", "turned", "s0", "s1"}) must(admin.get(), std::string("CREATE DATABASE ") + name);
    plain_ = connect("plain");
    turned_ = connect("turned");
    shards_ = {connect("s0"), connect("s1")};
    for (PGconn* each : {plain_.get(), turned_.get(), shards_[0].get(), shards_[1].get()}) must(each, file_text(std::string(kFolder) + "random_schema.sql"));
    must(turned_.get(), "SET enable_hashagg = off; SET enable_hashjoin = off");
    read_catalog();
}

SplitChecker::~SplitChecker() {
    for (Connection* each : {&plain_, &turned_, &shards_[0], &shards_[1]}) each->reset();
}

SplitChecker::Connection SplitChecker::connect(const std::string& database) const {
    Connection connection(PQconnectdb((server_.conninfo() + " dbname=" + database).c_str()));
    EXPECT_EQ(PQstatus(connection.get()), CONNECTION_OK) << PQerrorMessage(connection.get());
    must(connection.get(), "SET client_min_messages = error; SET synchronous_commit = off; SET jit = off");
    return connection;
}

void SplitChecker::must(PGconn* connection, const std::string& sql) {
    ResultSet result(PQexec(connection, sql.c_str()));
    const ExecStatusType status = PQresultStatus(result.get());
    EXPECT_TRUE(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) << sql.substr(0, 500) << "\n" << PQerrorMessage(connection);
}

void SplitChecker::read_catalog() {
    PGconn* home = shards_[0].get();
    must(home, planner::kRegistrySchema);
    must(home,
         "INSERT INTO pg_mosaic.tables VALUES ('a'::regclass, 's', 1, 1), ('b'::regclass, 's', 1, 1), ('c'::regclass, 's', 1, 2), "
         "('r'::regclass, 'r', NULL, NULL)");
    ResultSet document(PQexec(home, planner::kCatalogQuery));
    ASSERT_EQ(PQntuples(document.get()), 1) << PQerrorMessage(home);
    environment_.catalog = planner::Catalog::from_json(PQgetvalue(document.get(), 0, 0), 1).value();
}

std::string SplitChecker::load_sql(const TinyData& data, const Split* split, std::size_t shard, bool turned) {
    std::string sql;
    for (const auto& [table, rows] : data.tables) {
        sql += "DELETE FROM " + table + ";";
        std::string values;
        for (const TinyData::Row& row : rows) {
            const GroupId group = table == "c" ? kSecondGroup : kFirstGroup;
            const bool here = split == nullptr || table == "r" || (is_sharded(table) ? split->owner(group, *row.front()) == shard : shard == 0);
            if (!here) continue;
            if (turned) values = literals(row) + (values.empty() ? "" : ", ") + values;
            else values += (values.empty() ? "" : ", ") + literals(row);
        }
        if (!values.empty()) sql += "INSERT INTO " + table + " VALUES " + values + ";";
    }
    return sql;
}

/// All texts on all of these servers, which work side by side.
void SplitChecker::ask(const std::vector<PGconn*>& servers, const std::vector<Results*>& results) const {
    constexpr std::size_t kBatch = 100;  // what is sent stays below the sockets' buffers
    for (PGconn* each : servers) ASSERT_EQ(PQenterPipelineMode(each), 1);
    for (std::size_t begin = 0; begin < texts_.size(); begin += kBatch) {
        const std::size_t end = std::min(begin + kBatch, texts_.size());
        for (PGconn* each : servers) {
            for (std::size_t i = begin; i < end; ++i) {
                PQsendQueryPrepared(each, ("q" + std::to_string(i)).c_str(), 0, nullptr, nullptr, nullptr, 1);
                PQpipelineSync(each);
            }
            PQflush(each);
        }
        for (std::size_t s = 0; s < servers.size(); ++s) {
            for (std::size_t i = begin; i < end; ++i) {
                results[s]->emplace_back(PQgetResult(servers[s]));
                EXPECT_EQ(PQgetResult(servers[s]), nullptr);
                const ResultSet sync(PQgetResult(servers[s]));
                EXPECT_EQ(PQresultStatus(sync.get()), PGRES_PIPELINE_SYNC);
            }
        }
    }
    for (PGconn* each : servers) ASSERT_EQ(PQexitPipelineMode(each), 1) << PQerrorMessage(each);
}

SplitChecker::Answer SplitChecker::answer_of(const PGresult* result) {
    Answer answer;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        answer.error = PQresultErrorMessage(result);
        return answer;
    }
    for (int r = 0; r < PQntuples(result); ++r) answer.rows.push_back(body_of(result, r));
    return answer;
}

// ---------------------------------------------------------------- statements

bool SplitChecker::add(const std::string& sql) {
    Proof proof{.sql = sql, .ordered = is_ordered(sql)};
    planner_.plan(sql, environment_, proof.planned);
    if (proof.planned.text->syntax_error) {
        ADD_FAILURE() << sql << "\n" << proof.planned.text->syntax_error->message;
        return false;
    }
    const bool added = add_steps(proof, &proof.planned.text->statements.at(0));
    if (added) proofs_.push_back(std::move(proof));
    return added;
}

void SplitChecker::add(const std::string& sql, Statement plan) {
    Proof proof{.sql = sql, .own = std::make_shared<const Statement>(std::move(plan)), .ordered = is_ordered(sql)};
    if (add_steps(proof, proof.own.get())) proofs_.push_back(std::move(proof));
}

bool SplitChecker::add_steps(Proof& proof, const Statement* plan) {
    for (; plan != nullptr; plan = plan->route.otherwise.get()) {
        const bool routed = plan->plan == PlanKind::kRoute;
        if (!routed && plan->plan != PlanKind::kScatter) {
            ++counts[plan->plan == PlanKind::kWorkbench ? "left out: workbench" : "left out: other"];
            break;
        }
        ++counts[routed ? "route" : "scatter"];
        Step step{.plan = plan};
        const bool rewritten = !routed && !plan->scatter->shard_sql.empty();
        if (proof.steps.empty() && !prepare(proof.sql, true, proof.text)) {
            ++counts["left out: not a statement"];
            return false;
        }
        step.text = proof.text;
        if (rewritten && !prepare(plan->scatter->shard_sql, false, step.text)) return false;
        proof.steps.push_back(step);
        if (!routed) break;
    }
    return !proof.steps.empty();
}

/// On the shards; `everywhere`: on servers with all rows, too, where a statement that PostgreSQL does not accept shows.
bool SplitChecker::prepare(const std::string& sql, bool everywhere, std::size_t& text) {
    text = texts_.size();
    const std::string name = "q" + std::to_string(text);
    for (PGconn* each : {plain_.get(), turned_.get(), shards_[0].get(), shards_[1].get()}) {
        const ResultSet made(PQprepare(each, name.c_str(), sql.c_str(), 0, nullptr));
        if (PQresultStatus(made.get()) == PGRES_COMMAND_OK) continue;
        if (!everywhere) ADD_FAILURE() << sql << "\n" << PQerrorMessage(each);
        return false;
    }
    texts_.push_back(sql);
    return true;
}

void SplitChecker::clear() {
    for (PGconn* each : {plain_.get(), turned_.get(), shards_[0].get(), shards_[1].get()}) must(each, "DEALLOCATE ALL");
    texts_.clear();
    proofs_.clear();
}

// ---------------------------------------------------------------- what the coordinator does with a plan

std::optional<std::size_t> SplitChecker::owner_of(const planner::ValueRef& value, GroupId group, const Proof& proof, const Split& split) {
    const bool literal = value.from == planner::ValueRef::From::kLiteral;
    const planner::Literal& given = literal ? proof.planned.literals.at(value.index) : value.constant;
    if (given.kind == planner::Literal::Kind::kNull) return split.owner(group, 0);
    int key = 0;
    const char* end = given.value.data() + given.value.size();
    if (std::from_chars(given.value.data(), end, key).ptr != end) return std::nullopt;
    return split.owner(group, given.negative ? -key : key);
}

std::optional<std::size_t> SplitChecker::resolve(const planner::Route& route, const Proof& proof, const Split& split) {
    if (route.where != planner::Route::Where::kKey) return 0;
    std::optional<std::size_t> shard;
    for (const planner::KeyAlternatives& key : route.keys) {
        for (const planner::ValueRef& value : key) {
            const auto owner = owner_of(value, route.group, proof, split);
            if (!owner || (shard && *shard != *owner)) return std::nullopt;
            shard = owner;
        }
    }
    if (route.needs_home && shard && *shard != 0) return std::nullopt;
    return shard;
}

std::vector<std::size_t> SplitChecker::shards_of(const planner::Scatter& scatter, const Proof& proof, const Split& split) {
    std::vector<std::size_t> all{0, 1};
    for (const planner::KeyAlternatives& key : scatter.prune) {
        std::vector<bool> owns(2, false);
        bool known = true;
        for (const planner::ValueRef& value : key) {
            const auto owner = owner_of(value, scatter.group, proof, split);
            if (owner) owns[*owner] = true;
            known = known && owner.has_value();
        }
        if (known) all.erase(std::remove_if(all.begin(), all.end(), [&](std::size_t shard) { return !owns[shard]; }), all.end());
    }
    if (all.empty()) all.push_back(0);
    return all;
}

SplitChecker::Answer SplitChecker::merged(const Proof& proof, const Step& step, const Moment& moment) {
    const planner::Scatter& scatter = *step.plan->scatter;
    std::vector<const PGresult*> parts;
    for (const std::size_t shard : shards_of(scatter, proof, moment.split)) parts.push_back(moment.shards[shard][step.text].get());
    for (const PGresult* part : parts) {
        if (PQresultStatus(part) != PGRES_TUPLES_OK) return answer_of(part);
    }
    planner::MergeSpec spec = scatter.merge;
    if (spec.hidden == 0) spec.visible = static_cast<std::uint16_t>(PQnfields(parts.front()));
    std::vector<merge::ColumnFormat> formats;
    for (int c = 0; c < spec.visible; ++c) formats.push_back({.type = PQftype(parts.front(), c), .binary = true});
    Answer answer;
    std::string out;
    try {
        const auto merger = merge::Merger::make(spec, parts.size(), formats, count_of(spec.limit, proof.planned), count_of(spec.offset, proof.planned));
        for (std::size_t i = 0; i < parts.size(); ++i) {
            for (int r = 0; r < PQntuples(parts[i]); ++r) merger->row(i, body_of(parts[i], r));
            merger->input_done(i);
        }
        merger->drain(out, ~std::size_t{0} >> 1);
        if (!merger->finished()) answer.error = "the merge has not finished";
    } catch (const PgError& error) {
        answer.error = error.error().message;
    }
    for (std::string_view left = out; !left.empty();) {
        const auto length = merge::load<std::uint32_t>(left.data() + 1);
        answer.rows.emplace_back(left.substr(5, length - 4));
        left.remove_prefix(1 + length);
    }
    return answer;
}

/// Of a statement that may run on any shard: what each of them says.
std::vector<SplitChecker::Answer> SplitChecker::answers(const Proof& proof, const Moment& moment) const {
    for (const Step& step : proof.steps) {
        if (step.plan->plan == PlanKind::kScatter) return {merged(proof, step, moment)};
        const auto shard = resolve(step.plan->route, proof, moment.split);
        if (!shard) continue;
        std::vector<Answer> all{answer_of(moment.shards[*shard][step.text].get())};
        const bool any = step.plan->route.where == planner::Route::Where::kAny;
        if (any) all.push_back(answer_of(moment.shards[1 - *shard][step.text].get()));
        return all;
    }
    return {};
}

// ---------------------------------------------------------------- the comparison

std::vector<std::string> SplitChecker::check(const TinyData& data, const std::vector<Split>& splits) {
    std::vector<std::string> wrong;
    must(plain_.get(), load_sql(data, nullptr, 0, false));
    Results whole;
    ask({plain_.get()}, {&whole});
    for (const Split& split : splits) {
        Moment moment{.data = data, .split = split};
        for (std::size_t s = 0; s < 2; ++s) must(shards_[s].get(), load_sql(data, &split, s, false));
        ask({shards_[0].get(), shards_[1].get()}, {&moment.shards[0], &moment.shards[1]});
        for (Proof& proof : proofs_) {
            if (proof.refuted) continue;
            const Answer plain = answer_of(whole[proof.text].get());
            for (const Answer& ours : answers(proof, moment)) {
                ++counts[plain.rows.empty() ? "compared: no rows" : "compared: rows"];
                const bool same = plain.error.empty() == ours.error.empty() && are_same(plain.rows, ours.rows, proof.ordered);
                if (same) continue;
                if (is_undetermined(proof, data, plain)) {
                    ++counts["undetermined"];
                    continue;
                }
                proof.refuted = true;
                wrong.push_back(proof.sql + "\n  plan: " + proof.steps.back().plan->reason + "\n  shards: " + texts_[proof.steps.back().text] + "\n  rows:" + data.show() +
                                "\n  keys on the second shard, as bits: " + std::to_string(split.first) + ", of c: " + std::to_string(split.second) +
                                "\n  plain: " + show_rows(plain.error, plain.rows) + "\n  ours: " + show_rows(ours.error, ours.rows));
                break;
            }
        }
    }
    return wrong;
}

bool SplitChecker::is_undetermined(const Proof& proof, const TinyData& data, const Answer& plain) {
    must(turned_.get(), load_sql(data, nullptr, 0, true));
    const ResultSet result(PQexecPrepared(turned_.get(), ("q" + std::to_string(proof.text)).c_str(), 0, nullptr, nullptr, nullptr, 1));
    const Answer other = answer_of(result.get());
    return plain.error.empty() != other.error.empty() || !are_same(plain.rows, other.rows, proof.ordered);
}

}  // namespace pgmosaic::testing
