// Numbers, text and order as the merge makes them against a live server's, on random values.

#include <random>

#include "coordinator/merge/internal/bytes.h"
#include "coordinator/merge/internal/numeric.h"
#include "coordinator/merge/internal/text_format.h"
#include "coordinator/merge/internal/value_order.h"
#include "planner/merge_types.h"
#include "tests/component/own_server.h"

namespace pgmosaic::merge {
namespace {

namespace type = planner::type;

class MergeParity : public pgmosaic::testing::ServerTest {
 protected:
    void SetUp() override {
        unsigned seed = std::random_device{}() % 1'000'000;
        std::printf("seed %u\n", seed);
        ask_binary("SELECT setseed(" + std::to_string(seed) + " / 1e6)");
    }

    /// `expression` makes a random value; the server's own text is the truth.
    static void compare_text(Oid oid, const std::string& expression, int rows) {
        Rows result =
            ask_binary("SELECT v, v::text FROM (SELECT " + expression +
                       " AS v FROM generate_series(1, " + std::to_string(rows) + ") i) s");
        ASSERT_GE(PQntuples(result.get()), rows);
        for (int row = 0; row < PQntuples(result.get()); ++row) {
            std::string text;
            append_text(oid, cell(result, row, 0), text);
            ASSERT_EQ(text, cell(result, row, 1)) << expression;
        }
    }

    /// Neighbours in the server's order must compare as dense_rank() says.
    static void compare_order(Oid oid, const std::string& expression,
                              const std::string& locale = {}) {
        Rows result =
            ask_binary("SELECT v, dense_rank() OVER (ORDER BY v) FROM (SELECT " + expression +
                       " AS v FROM generate_series(1, 5000) i) s ORDER BY v");
        ASSERT_EQ(PQntuples(result.get()), 5000) << expression;
        ValueOrder order = ValueOrder::make(oid, locale);
        std::string left;
        std::string right;
        for (int row = 1; row < PQntuples(result.get()); ++row) {
            std::string_view a = cell(result, row - 1, 0);
            std::string_view b = cell(result, row, 0);
            bool equal = cell(result, row - 1, 1) == cell(result, row, 1);
            left.clear();
            right.clear();
            order.append_identity(a, left);
            order.append_identity(b, right);
            ASSERT_EQ(order.compare(a, b) == 0, equal) << expression << " row " << row;
            ASSERT_LE(order.compare(a, b), 0) << expression << " row " << row;
            ASSERT_GE(order.compare(b, a), 0) << expression << " row " << row;
            ASSERT_LE(order.prefix(a), order.prefix(b)) << expression << " row " << row;
            ASSERT_EQ(left == right, equal) << expression << " row " << row;
        }
    }
};

// Digits of a random number, before and after the point.
std::string random_numeric(int whole, int fraction) {
    return "(CASE WHEN random() < 0.5 THEN '-' ELSE '' END || trunc(random()::numeric * "
           "10::numeric ^ trunc(random() * " +
           std::to_string(whole) +
           ")::int)::text || '.' || lpad(trunc(random() * 1e9)::text, (random() * " +
           std::to_string(fraction) + ")::int, '0') || '0')::numeric";
}

constexpr const char* kAnyFloat8 =
    "((random() - 0.5) * 10::numeric ^ trunc(random() * 600 - 300)::int)::float8";

TEST_F(MergeParity, Float8Text) {
    compare_text(type::kFloat8, kAnyFloat8, 50'000);
    compare_text(type::kFloat8, "random() * 1e6", 20'000);
    compare_text(type::kFloat8, "trunc(random() * 1e6)::float8 / 1000", 20'000);
    // Where halfway points are short: powers of two, and round numbers from 2 ^ 53 on.
    compare_text(type::kFloat8, "2::float8 ^ (i - 1075)", 2098);
    compare_text(type::kFloat8, "(trunc(random() * 1000) * 10::numeric ^ (i % 60))::float8",
                 20'000);
    compare_text(type::kFloat8, "(9007199254740992 + i)::float8", 1000);
    compare_text(type::kFloat8, "('{NaN,Infinity,-Infinity,0,-0,5e-324,1e23}'::float8[])[i]", 7);
}

TEST_F(MergeParity, Float4Text) {
    compare_text(type::kFloat4,
                 "((random() - 0.5) * 10::numeric ^ trunc(random() * 76 - 38)::int)::float4",
                 50'000);
    compare_text(type::kFloat4, "(2::float8 ^ (i - 149))::float4", 276);
    compare_text(type::kFloat4, "(trunc(random() * 1000) * 10::numeric ^ (i % 35))::float4",
                 20'000);
    compare_text(type::kFloat4, "(16777216 + i)::float4", 1000);
}

TEST_F(MergeParity, NumericText) {
    compare_text(type::kNumeric, random_numeric(50, 40), 20'000);
    compare_text(type::kNumeric, "('{NaN,Infinity,-Infinity,0,0.000}'::numeric[])[i]", 5);
}

TEST_F(MergeParity, NumericSumAndAverageOfParts) {
    for (auto [whole, fraction] : {std::pair{6, 2}, {12, 12}, {45, 30}}) {
        // Groups of 1 to 50 rows, each in up to four parts; every row carries the truth of its
        // whole group.
        Rows rows = ask_binary(
            "WITH v AS MATERIALIZED (SELECT trunc(random() * 3000)::int AS g, i % 4 AS part, " +
            random_numeric(whole, fraction) +
            " AS v FROM generate_series(1, 20000) i), whole AS (SELECT g, sum(v)::text AS sum, "
            "avg(v)::text AS avg FROM v GROUP BY g) SELECT g, sum(v), count(v), whole.sum, "
            "whole.avg "
            "FROM v JOIN whole USING (g) GROUP BY g, part, whole.sum, whole.avg ORDER BY g");
        NumericSum sum;
        std::int64_t count = 0;
        int last = PQntuples(rows.get()) - 1;
        ASSERT_GT(last, 1000);
        for (int row = 0; row <= last; ++row) {
            sum.add(NumericView::parse(cell(rows, row, 1)));
            count += load<std::int64_t>(cell(rows, row, 2).data());
            if (row < last && cell(rows, row, 0) == cell(rows, row + 1, 0)) continue;
            std::string binary;
            std::string text;
            sum.sum(binary);
            append_text(NumericView::parse(binary), text);
            ASSERT_EQ(text, cell(rows, row, 3));
            binary.clear();
            text.clear();
            sum.average(count, binary);
            append_text(NumericView::parse(binary), text);
            ASSERT_EQ(text, cell(rows, row, 4))
                << "sum " << cell(rows, row, 3) << " count " << count;
            sum = NumericSum();
            count = 0;
        }
    }
}

TEST_F(MergeParity, AverageOfIntegers) {
    Rows rows = ask_binary(
        "SELECT sum(v), count(v), avg(v)::text FROM (SELECT trunc(random() * 5000)::int AS g, "
        "trunc((random() - 0.5) * 2 ^ (i % 31))::int AS v FROM generate_series(1, 20000) i) s "
        "GROUP BY g");
    for (int row = 0; row < PQntuples(rows.get()); ++row) {
        NumericSum sum;
        sum.add(load<std::int64_t>(cell(rows, row, 0).data()));
        std::string binary;
        std::string text;
        sum.average(load<std::int64_t>(cell(rows, row, 1).data()), binary);
        append_text(NumericView::parse(binary), text);
        ASSERT_EQ(text, cell(rows, row, 2));
    }
}

TEST_F(MergeParity, OrderOfNumbers) {
    compare_order(type::kInt2, "trunc(random() * 65535 - 32768)::int2");
    compare_order(type::kInt4, "trunc((random() - 0.5) * 4e9)::int4");
    compare_order(type::kInt8, "trunc((random() - 0.5) * 1.8e19)::int8");
    compare_order(type::kOid, "trunc(random() * 4e9)::int8::oid");
    compare_order(type::kMoney, "((random() - 0.5) * 1e9)::numeric(20,2)::money");
    compare_order(type::kFloat8, kAnyFloat8);
    compare_order(type::kFloat8, "('{NaN,Infinity,-Infinity,0,-0,1,-1}'::float8[])[1 + i % 7]");
    compare_order(type::kFloat4,
                  "((random() - 0.5) * 10::numeric ^ trunc(random() * 60 - 30)::int)::float4");
    compare_order(type::kNumeric, random_numeric(30, 20));
    compare_order(type::kNumeric, random_numeric(2, 3));
    compare_order(type::kNumeric,
                  "('{NaN,Infinity,-Infinity,0,0.00,1.0,1,-1}'::numeric[])[1 + i % 8]");
}

TEST_F(MergeParity, OrderOfTimes) {
    compare_order(type::kDate,
                  "(ARRAY['-infinity', 'infinity', '2000-01-01'::date + (random() * 9999)::int])[1 "
                  "+ i % 3]::date");
    compare_order(type::kTime, "'00:00'::time + random() * '24 hours'::interval");
    compare_order(type::kTimestamp,
                  "'2000-01-01'::timestamp + (random() - 0.5) * '100 years'::interval");
    compare_order(type::kTimestampTz,
                  "'2000-01-01'::timestamptz + (random() - 0.5) * '100 years'::interval");
    compare_order(
        type::kTimeTz,
        "((i % 24)::text || ':00' || to_char(trunc(random() * 24 - 12), 'SG00'))::timetz");
    compare_order(type::kInterval,
                  "make_interval(months => (random() * 20 - 10)::int, days => (random() * 60 - "
                  "30)::int, hours => 24 * (random() * 40 - 20)::int)");
    compare_order(type::kInterval,
                  "make_interval(months => (random() * 2e9 - 1e9)::int, days => (random() * 4e9 - "
                  "2e9)::int)");
}

TEST_F(MergeParity, OrderOfBytes) {
    compare_order(type::kText,
                  "substr(md5(random()::text), 1, (random() * 12)::int) COLLATE \"C\"");
    compare_order(
        type::kText,
        "chr(32 + (random() * 1000)::int) || chr(32 + (random() * 100)::int) COLLATE \"C\"");
    compare_order(type::kText,
                  "chr(32 + (random() * 1000)::int) || chr(32 + (random() * 100)::int)", "C.utf8");
    compare_order(type::kBpchar,
                  "(chr(97 + (random() * 5)::int) || repeat(' ', (random() * 3)::int) || "
                  "repeat('!', (random() * 2)::int))::char(6)");
    compare_order(type::kName, "substr(md5(random()::text), 1, (random() * 3)::int)::name");
    compare_order(type::kChar, "chr(1 + (random() * 120)::int)::\"char\"");
    compare_order(type::kBytea, "decode(md5((random() * 4000)::int::text), 'hex')");
    compare_order(type::kUuid, "md5((random() * 4000)::int::text)::uuid");
    compare_order(type::kBool, "random() < 0.5");
    compare_order(type::kLsn, "('F/' || to_hex((random() * 4e9)::int8))::pg_lsn");
}

}  // namespace
}  // namespace pgmosaic::merge
