#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/internal/bench.h"
#include "coordinator/internal/row_arrays.h"
#include "coordinator/internal/row_writer.h"
#include "planner/plan_details.h"

namespace pgmosaic::coordinator {

/// What a statement has done to one table's rows on the workbench, and how that is done to the rows themselves: one DELETE and one UPDATE
/// per shard, whose rows are arrays; INSERTs by RowWriter. The rows were locked when they were pulled.
///
/// Core      the session's; within its open transaction
/// Lifetime  borrows session, request, plan and bench
/// Errors    the shards', with the shard's name; 0A000 where rows may not move; 53400 beyond limits.memory; ConnectionLost
/// Bound     limits.memory for the rows that are deleted, updated or moved; inserted rows stream
class RowChanges {
   public:
    RowChanges(Session& session, const Request& request, const planner::WrittenTable& plan, Bench& bench);

    /// What the workbench must be told before rows come, and right before the statement.
    std::string create_sql() const;
    std::string keep_sql() const;
    /// Locks the rows on their shards and brings them.
    Task<> pull();
    /// Asks the workbench what has become of them.
    Task<> read();
    // In this order for all tables of a statement: a key that one row leaves another may get.
    Task<> remove();
    Task<> update();
    Task<> insert();
    /// Rows that the shards have changed; a trigger may have kept some from it.
    std::uint64_t rows() const { return rows_; }

   private:
    struct ShardRows {
        std::vector<ColumnArray> arrays{};
    };
    using Parts = std::map<ShardId, ShardRows>;

    bool reference() const { return plan_.placement == planner::Placement::kReference; }
    std::vector<ShardId> pull_shards() const;
    Task<> pull_from(Participant& participant);
    bool is_binary(const planner::WrittenTable::Column& column) const;
    std::string column_list() const;
    std::string same_key() const;
    std::string identity_list(const std::string& alias) const;
    std::vector<bool> formats(bool with_values) const;
    Task<> read_deleted();
    Task<> read_updated();
    void take_updated(const std::string& body);
    ShardId old_shard() const;
    std::optional<ShardId> new_shard() const;
    void add_identity(ShardRows& part, std::size_t columns) const;
    void add_value(ColumnArray& array, std::size_t number) const;
    void note_bytes(std::size_t bytes);
    std::string from_arrays(std::size_t columns) const;
    std::string matches() const;
    Task<std::uint64_t> run(Parts& parts, std::string sql, bool exact);
    planner::InsertSelect insert_plan() const;
    std::vector<SourceColumn> source_columns() const;

    Session& session_;
    const Request& request_;
    const planner::WrittenTable& plan_;
    Bench& bench_;
    std::vector<std::size_t> values_;      ///< the columns that come with an updated row
    std::vector<std::size_t> assigned_;    ///< positions in `values_` of those that are set
    Parts deleted_;
    Parts updated_;
    std::vector<std::string> moved_;       ///< DataRow bodies of all columns
    std::vector<std::string_view> fields_; ///< of the row in hand
    std::size_t bytes_ = 0;
    std::uint64_t rows_ = 0;
};

}  // namespace pgmosaic::coordinator
