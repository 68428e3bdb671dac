/// The clients of bench/two_shard_transfers: transfers between rows of two shards, as fast as they go.
///
///   two_shard_transfers mosaic CLIENTS SECONDS PAIRS DSN
///   two_shard_transfers citus  CLIENTS SECONDS PAIRS RECORD_DSN SHARD_DSN SHARD_DSN …
///
/// PAIRS is a file of lines `row shard row shard`, shards counted from 0: who gives and who takes.
/// `citus` is the way that Citus publishes, without a coordinator's process in between: the updates on the shards, PREPARE TRANSACTION
/// on both side by side, a commit record in a transaction of its own on the coordinator's server, then COMMIT PREPARED on both
/// side by side. Prints transfers per second, those that failed, and the seconds of CPU that it took itself.
#include <libpq-fe.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

namespace {

struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, Finish>;

Connection connect_to(const std::string& dsn) {
    Connection connection(PQconnectdb(dsn.c_str()));
    if (PQstatus(connection.get()) == CONNECTION_OK) return connection;
    std::fprintf(stderr, "%s", PQerrorMessage(connection.get()));
    std::exit(1);
}

void send(PGconn* connection, const std::string& sql) {
    if (PQsendQuery(connection, sql.c_str()) == 1) return;
    std::fprintf(stderr, "%s", PQerrorMessage(connection));
    std::exit(1);
}

bool receive(PGconn* connection) {
    bool good = true;
    while (PGresult* result = PQgetResult(connection)) {
        const ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            good = false;
            std::fprintf(stderr, "%s", PQresultErrorMessage(result));
        }
        PQclear(result);
    }
    return good;
}

bool run(PGconn* connection, const std::string& sql) {
    send(connection, sql);
    return receive(connection);
}

std::string update(int row, int by) {
    return "UPDATE accounts SET balance = balance + " + std::to_string(by) + " WHERE id = " + std::to_string(row);
}

struct Pair {
    int from = 0;
    std::size_t from_shard = 0;
    int to = 0;
    std::size_t to_shard = 0;
};

class Way {
   public:
    Way() = default;
    Way(const Way&) = delete;
    Way& operator=(const Way&) = delete;
    virtual ~Way() = default;
    virtual bool transfer(const Pair& pair) = 0;
};

class Mosaic : public Way {
   public:
    explicit Mosaic(const std::string& dsn) : connection_(connect_to(dsn)) {}
    bool transfer(const Pair& pair) override {
        PGconn* const connection = connection_.get();
        const bool done = run(connection, "BEGIN") && run(connection, update(pair.from, -1)) && run(connection, update(pair.to, 1));
        return run(connection, "COMMIT") && done;
    }

   private:
    Connection connection_;
};

class Citus : public Way {
   public:
    Citus(const std::string& record, const std::vector<std::string>& shards, int client) : record_(connect_to(record)), client_(client) {
        for (const std::string& dsn : shards) shards_.push_back(connect_to(dsn));
    }
    bool transfer(const Pair& pair) override {
        PGconn* const a = shards_.at(pair.from_shard).get();
        PGconn* const b = shards_.at(pair.to_shard).get();
        const std::string gid = "'citus_" + std::to_string(::getpid()) + "_" + std::to_string(client_) + "_" + std::to_string(++number_) + "'";
        if (!run(a, "BEGIN;" + update(pair.from, -1)) || !run(b, "BEGIN;" + update(pair.to, 1))) return false;
        if (!both(a, b, "PREPARE TRANSACTION " + gid)) return false;
        if (!run(record_.get(), "INSERT INTO commit_records VALUES (1, " + gid + "), (2, " + gid + ")")) return false;
        return both(a, b, "COMMIT PREPARED " + gid);
    }

   private:
    static bool both(PGconn* a, PGconn* b, const std::string& sql) {
        send(a, sql);
        send(b, sql);
        const bool first = receive(a);
        return receive(b) && first;
    }

    Connection record_;
    std::vector<Connection> shards_;
    int client_;
    int number_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 6) return 2;
    const std::string way = argv[1];
    const int clients = std::atoi(argv[2]);
    const double seconds = std::atof(argv[3]);
    std::vector<Pair> pairs;
    std::ifstream file(argv[4]);
    for (Pair pair; file >> pair.from >> pair.from_shard >> pair.to >> pair.to_shard;) pairs.push_back(pair);
    const std::vector<std::string> dsns(argv + 5, argv + argc);
    std::vector<std::unique_ptr<Way>> ways;
    for (int i = 0; i < clients; ++i) {
        if (way == "mosaic") ways.push_back(std::make_unique<Mosaic>(dsns[0]));
        else ways.push_back(std::make_unique<Citus>(dsns[0], std::vector<std::string>(dsns.begin() + 1, dsns.end()), i));
    }
    std::atomic<long> done{0};
    std::atomic<long> failed{0};
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    std::vector<std::thread> threads;
    for (int i = 0; i < clients; ++i) {
        threads.emplace_back([&, i] {
            std::mt19937 dice(static_cast<unsigned>(i) + 1);
            // Each client has rows of its own: neither deadlocks nor lock waits are measured here.
            const std::size_t share = pairs.size() / static_cast<std::size_t>(clients);
            while (std::chrono::steady_clock::now() < end) {
                const Pair& pair = pairs[static_cast<std::size_t>(i) * share + dice() % share];
                if (ways[static_cast<std::size_t>(i)]->transfer(pair)) ++done;
                else ++failed;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    std::printf("%.1f %ld %.3f\n", static_cast<double>(done) / seconds, failed.load(), static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
    return 0;
}
