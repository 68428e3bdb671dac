#pragma once

#include <libpq-fe.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "planner/planner.h"
#include "tests/component/own_server.h"

namespace pgmosaic::testing {

/// A few rows of the tables in select_parity/random_schema.sql. The first column of `a`, `b` and `c` is the shard key.
struct TinyData {
    using Row = std::vector<std::optional<int>>;
    std::map<std::string, std::vector<Row>> tables{};

    /// Up to `rows_max` rows a table; keys are 0, 1 and 2, other values NULL, 0, 1 and 2, so that equal rows are frequent.
    static TinyData random(std::mt19937& random, unsigned rows_max);
    std::string show() const;
};

/// Which of two shards owns which key: `first` for the group of `a` and `b`, `second` for that of `c`; a bit for each key.
struct Split {
    unsigned first = 0;
    unsigned second = 0;

    std::size_t owner(GroupId group, int key) const;
};

/// Every way to split these rows; keys that no row has stay where `random` puts them.
std::vector<Split> all_splits(const TinyData& data, std::mt19937& random);

/// Proves plans right or wrong by exhaustion: tiny data is split over two shards in all ways, the plan is carried out with the
/// merge operators of the product, and its answer is compared with that of one server that has all rows.
///
/// The shards are two databases of one plain PostgreSQL, the first is home. Statements whose plan is neither a route nor a
/// scatter are left out and counted.
class SplitChecker {
   public:
    SplitChecker();
    ~SplitChecker();

    /// Plans the statement; false if there is nothing to prove.
    bool add(const std::string& sql);
    /// The same with a plan that the test has made up.
    void add(const std::string& sql, planner::Statement plan);
    /// Forgets all statements.
    void clear();
    std::size_t size() const { return proofs_.size(); }

    /// What is wrong, one text for each statement, and only the first time that it is met.
    std::vector<std::string> check(const TinyData& data, const std::vector<Split>& splits);

    std::map<std::string, std::uint64_t> counts{};

   private:
    struct Finish {
        void operator()(PGconn* connection) const { PQfinish(connection); }
    };
    struct Clear {
        void operator()(PGresult* result) const { PQclear(result); }
    };
    using Connection = std::unique_ptr<PGconn, Finish>;
    using ResultSet = std::unique_ptr<PGresult, Clear>;
    using Results = std::vector<ResultSet>;

    struct Answer {
        std::string error{};
        std::vector<std::string> rows{};  ///< DataRow bodies in binary format
    };
    /// A plan; the next one of a statement is for keys that do not resolve to one shard.
    struct Step {
        const planner::Statement* plan = nullptr;
        std::size_t text = 0;
    };
    struct Proof {
        std::string sql{};
        planner::Planned planned{};
        std::shared_ptr<const planner::Statement> own{};
        std::vector<Step> steps{};
        std::size_t text = 0;
        bool ordered = false;
        bool refuted = false;
    };
    struct Moment {
        const TinyData& data;
        Split split;
        std::array<Results, 2> shards{};
    };

    Connection connect(const std::string& database) const;
    static void must(PGconn* connection, const std::string& sql);
    void read_catalog();

    bool prepare(const std::string& sql, bool everywhere, std::size_t& text);
    bool add_steps(Proof& proof, const planner::Statement* plan);

    static std::string load_sql(const TinyData& data, const Split* split, std::size_t shard, bool turned);
    void ask(const std::vector<PGconn*>& servers, const std::vector<Results*>& results) const;
    static Answer answer_of(const PGresult* result);

    std::vector<Answer> answers(const Proof& proof, const Moment& moment) const;
    static Answer merged(const Proof& proof, const Step& step, const Moment& moment);
    static std::optional<std::size_t> owner_of(const planner::ValueRef& value, GroupId group, const Proof& proof, const Split& split);
    static std::optional<std::size_t> resolve(const planner::Route& route, const Proof& proof, const Split& split);
    static std::vector<std::size_t> shards_of(const planner::Scatter& scatter, const Proof& proof, const Split& split);
    /// True if a server with the same rows in another order answers otherwise, too: the statement does not say what it wants.
    bool is_undetermined(const Proof& proof, const TinyData& data, const Answer& plain);

    OwnServer server_;
    Connection plain_, turned_;
    std::array<Connection, 2> shards_;
    planner::Planner planner_{100'000};
    planner::Environment environment_;
    std::vector<std::string> texts_;
    std::vector<Proof> proofs_;
};

}  // namespace pgmosaic::testing
