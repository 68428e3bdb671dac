// Our hash of shard keys against a live server's, on random values of every type that can be a key.
// Starts a PostgreSQL of its own; with PGM_PARITY_CONNINFO set, asks that server instead.

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>

#include "shardmap/hash.h"

namespace pgmosaic::shardmap {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBin = "/usr/lib/postgresql/15/bin/";
constexpr int kRows = 20'000;

struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using ResultSet = std::unique_ptr<PGresult, Clear>;

int shell(const std::string& command) {
    const std::string line = geteuid() == 0 ? "setpriv --reuid=postgres --regid=postgres --clear-groups " + command : command;
    return std::system(line.c_str());
}

/// A server in a temporary folder, reachable by its Unix socket only.
class Server {
   public:
    Server() {
        std::string pattern = (fs::temp_directory_path() / "pgm-parity-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        fs::permissions(folder_, fs::perms::all);
        const std::string data = (folder_ / "data").string();
        if (shell(std::string(kBin) + "initdb -D " + data + " -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync > /dev/null")) {
            return;
        }
        std::ofstream(data + "/postgresql.conf", std::ios::app)
            << "listen_addresses = ''\nfsync = off\nunix_socket_directories = '" << folder_.string() << "'\n";
        started_ = shell(std::string(kBin) + "pg_ctl -D " + data + " -l " + data + "/log -w start > /dev/null") == 0;
    }
    ~Server() {
        if (started_) shell(std::string(kBin) + "pg_ctl -D " + (folder_ / "data").string() + " -m immediate stop > /dev/null");
        fs::remove_all(folder_);
    }
    std::string conninfo() const { return "host=" + folder_.string() + " user=postgres dbname=postgres"; }

   private:
    fs::path folder_;
    bool started_ = false;
};

class HashParity : public testing::Test {
   protected:
    static void SetUpTestSuite() {
        const char* given = std::getenv("PGM_PARITY_CONNINFO");
        if (given == nullptr) server_ = std::make_unique<Server>();
        connection_.reset(PQconnectdb(given != nullptr ? given : server_->conninfo().c_str()));
        ASSERT_EQ(PQstatus(connection_.get()), CONNECTION_OK) << PQerrorMessage(connection_.get());
        std::random_device device;
        const unsigned seed = device();
        std::printf("seed %u\n", seed);
        ask("SELECT setseed(" + std::to_string(seed % 1'000'000 / 1e6) + ")");
        ask("SET extra_float_digits = 1; SET timezone = 'Asia/Kolkata'");
    }
    static void TearDownTestSuite() {
        connection_.reset();
        server_.reset();
    }

    static ResultSet ask(const std::string& sql, int format = 0) {
        ResultSet result(format == 0 ? PQexec(connection_.get(), sql.c_str())
                                     : PQexecParams(connection_.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1));
        EXPECT_TRUE(PQresultStatus(result.get()) == PGRES_TUPLES_OK || PQresultStatus(result.get()) == PGRES_COMMAND_OK)
            << sql << "\n" << PQerrorMessage(connection_.get());
        return result;
    }

    static std::string_view cell(const ResultSet& rows, int row, int column) {
        return {PQgetvalue(rows.get(), row, column), static_cast<std::size_t>(PQgetlength(rows.get(), row, column))};
    }

    /// `expression` makes a random value of type `type`. Compares the text and the binary form of each.
    static void compare(Oid oid, const std::string& type, const std::string& expression, const std::string& as_text = "v::text") {
        ask("SET client_min_messages = warning; DROP TABLE IF EXISTS k; CREATE TEMP TABLE k AS SELECT ((" + expression + ")::" + type +
            ") AS v FROM generate_series(1, " + std::to_string(kRows) + ") i");
        const std::string hash = "hash_record_extended(ROW(v), 8816678312871386365)";
        const ResultSet text = ask("SELECT " + as_text + ", " + hash + ", " + hash + " & 65535 FROM k ORDER BY ctid");
        const ResultSet binary = ask("SELECT v FROM k ORDER BY ctid", 1);
        ASSERT_EQ(PQntuples(text.get()), kRows);
        ASSERT_EQ(PQntuples(binary.get()), kRows);
        for (int row = 0; row < kRows; ++row) {
            const auto bucket = static_cast<std::uint16_t>(std::stoul(std::string(cell(text, row, 2))));
            const auto hashed = static_cast<std::uint64_t>(std::stoll(std::string(cell(text, row, 1))));
            ASSERT_EQ(extended_hash(oid, cell(binary, row, 0)), hashed) << type << " " << cell(text, row, 0);
            ASSERT_EQ(bucket_of_binary(oid, oid, cell(binary, row, 0)), Bucket{bucket}) << type << " " << cell(text, row, 0);
            ASSERT_EQ(bucket_of_text(oid, cell(text, row, 0)), Bucket{bucket}) << type << " " << cell(text, row, 0);
        }
    }

    static inline std::unique_ptr<Server> server_;
    static inline Connection connection_;
};

// Bits of a random width, so that small and large values are both frequent.
constexpr const char* kInteger = "((random() * 4294967296)::int8 << 32 | (random() * 4294967295)::int8) >> (i % 64)";

TEST_F(HashParity, Integers) {
    compare(kInt8Oid, "int8", kInteger);
    compare(kInt4Oid, "int4", std::string("(") + kInteger + ") % 2147483648");
    compare(kInt2Oid, "int2", std::string("(") + kInteger + ") % 32768");
    compare(kInt8Oid, "int8", "(array[-9223372036854775808, 9223372036854775807, 0, -1, 4294967295, -4294967296])[1 + i % 6]");
}

TEST_F(HashParity, Strings) {
    const std::string random_text =
        "coalesce((SELECT string_agg(chr(33 + (random() * 900)::int), '') FROM generate_series(1, i % 46)), '')";
    compare(kTextOid, "text", random_text);
    compare(kVarcharOid, "varchar(60)", random_text);
    compare(kBpcharOid, "char(50)", random_text, "format('%s', v)");
    compare(kByteaOid, "bytea", "substr(decode(md5(random()::text) || md5(random()::text), 'hex'), 1, i % 33)");
    compare(kUuidOid, "uuid", "gen_random_uuid()");
}

TEST_F(HashParity, DatesAndTimes) {
    compare(kDateOid, "date", "date '0001-01-01' + (random() * 3652000)::int");
    compare(kTimestampOid, "timestamp", "timestamp '0001-01-02' + random() * interval '9990 years'");
    compare(kTimestampOid, "timestamp(1)", "timestamp '1990-01-01' + random() * interval '70 years'");
    for (const char* zone : {"UTC", "Asia/Kolkata", "America/St_Johns", "Africa/Monrovia"}) {
        ask(std::string("SET timezone = '") + zone + "'");
        compare(kTimestamptzOid, "timestamptz", "timestamptz '0001-01-03' + random() * interval '9990 years'");
    }
    compare(kTimestamptzOid, "timestamptz", "(array['infinity', '-infinity'])[1 + i % 2]");
    compare(kDateOid, "date", "(array['infinity', '-infinity'])[1 + i % 2]");
}

TEST_F(HashParity, Numerics) {
    compare(kNumericOid, "numeric", "(random() - 0.5)::numeric * (10::numeric ^ (i % 60 - 30))::numeric");
    compare(kNumericOid, "numeric", std::string("(") + kInteger + ")");
    compare(kNumericOid, "numeric(12,4)", "(random() - 0.5) * 10 ^ (i % 8)");
    compare(kNumericOid, "numeric", "(array['0', '0.000', 'NaN', 'Infinity', '-Infinity', '10000', '0.0001', '-100000000.00'])[1 + i % 8]");
}

TEST_F(HashParity, EqualNumbersOfDifferentWidthShareABucket) {
    const ResultSet rows = ask("SELECT bool_and(hash_record_extended(ROW(i::int2), s) = hash_record_extended(ROW(i::int8), s) AND "
                               "hash_record_extended(ROW(i::int4), s) = hash_record_extended(ROW(i::int8), s)) "
                               "FROM generate_series(-32768, 32767) i, (VALUES (8816678312871386365)) v(s)");
    EXPECT_EQ(cell(rows, 0, 0), "t");
}

}  // namespace
}  // namespace pgmosaic::shardmap
