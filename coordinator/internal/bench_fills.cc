#include "coordinator/internal/bench_fills.h"

namespace pgmosaic::coordinator {

BenchFills::BenchFills(Session& session, const Request& request, Bench& bench, const std::vector<planner::WrittenTable>& tables)
    : session_(session), request_(request), bench_(bench) {
    for (const planner::WrittenTable& table : tables) {
        for (const planner::WrittenTable::Column& column : table.columns) {
            if (!column.fill.empty()) columns_.push_back({&table, &column});
        }
    }
}

std::string BenchFills::name(std::size_t number, const char* what) const {
    return "pg_temp.\"pgm$" + std::string(what) + std::to_string(number) + "\"";
}

std::string BenchFills::create_sql() const {
    std::string sql;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        const std::string table = name(i, "values"), sequence = name(i, "taken"), function = name(i, "next");
        sql += "CREATE TEMPORARY SEQUENCE " + sequence.substr(8) + ";CREATE TEMPORARY TABLE " + table.substr(8) +
               " (n pg_catalog.int8 PRIMARY KEY, v " + columns_[i].column->type_name + ") ON COMMIT DROP;CREATE FUNCTION " + function + "() RETURNS " +
               columns_[i].column->type_name + " LANGUAGE plpgsql AS $pgm$ DECLARE i pg_catalog.int8 := pg_catalog.nextval('" + sequence +
               "'); BEGIN RETURN (SELECT v FROM " + table + " WHERE n = i); END $pgm$;ALTER TABLE pg_temp." +
               planner::quote_identifier(columns_[i].table->name) + " ALTER COLUMN " + planner::quote_identifier(columns_[i].column->name) + " SET DEFAULT " +
               function + "();";
    }
    return sql;
}

Task<> BenchFills::fetch(std::string sql) {
    constexpr int kTriesMax = 8;
    for (int tried = 0; tried < kTriesMax; ++tried) {
        bench_.put("SAVEPOINT pgm_try");
        co_await bench_.settle();
        bench_.put_final(request_, sql);
        std::string dropped;
        co_await bench_.relay_answer(&dropped);
        const bool enough = co_await add_missing();
        if (enough) co_return;
    }
    throw PgError(Error{.code = SqlState{"54000"},
                        .message = "how many default values this statement needs cannot be told",
                        .detail = "It inserts more rows each time that it is tried.",
                        .hint = "Give the columns values, or insert in several statements."});
}

/// True if the try took no more than there was. In a transaction of its own, as a sequence's values are (PROTOCOLS 3.14).
Task<bool> BenchFills::add_missing() {
    std::vector<std::uint64_t> taken;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        const auto result = co_await bench_.query("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM " + name(i, "taken"));
        taken.push_back(std::stoull(result.scalar()));
    }
    std::string sql = "ROLLBACK TO pgm_try;RELEASE pgm_try;";
    bool enough = true;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        Filled& filled = columns_[i];
        sql += "SELECT pg_catalog.setval('" + name(i, "taken") + "', 1, false);";
        if (taken[i] <= filled.values) continue;
        enough = false;
        session_.sequences().filled_any();
        const planner::WrittenTable::Column& column = *filled.column;
        const auto values = co_await session_.query_service(
            session_.home(), "SELECT CAST((" + column.fill + ") AS " + column.type_name + ")::pg_catalog.text FROM pg_catalog.generate_series(1, " +
                                 std::to_string(taken[i] - filled.values) + ")");
        std::string list;
        for (const auto& row : values.rows) list += (list.empty() ? "" : ",") + (row.at(0) ? planner::quote_literal(*row.at(0)) : std::string("NULL"));
        sql += "INSERT INTO " + name(i, "values") + " SELECT n + " + std::to_string(filled.values) + ", CAST(v AS " + column.type_name +
               ") FROM pg_catalog.unnest(ARRAY[" + list + "]::pg_catalog.text[]) WITH ORDINALITY AS u (v, n);";
        filled.values = taken[i];
    }
    bench_.put(sql);
    co_await bench_.settle();
    co_return enough;
}

}  // namespace pgmosaic::coordinator
