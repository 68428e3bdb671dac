#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/internal/row_arrays.h"
#include "coordinator/session.h"
#include "planner/plan_details.h"

namespace pgmosaic::coordinator {

/// A column of the rows that go into a table.
struct SourceColumn {
    Oid type = 0;
    std::string type_name{};  ///< as the client's search_path reads it
    bool binary = false;      ///< its values come in binary format; else as text
};

/// Puts rows into a table wherever each belongs: each batch becomes one INSERT per shard, whose rows are arrays, one for each
/// column. So types are coerced, defaults made, conflicts met and RETURNING computed by PostgreSQL, as in any INSERT … SELECT.
///
/// Shape     DataRow bodies of the source → INSERT INTO t (…) SELECT … FROM ROWS FROM (unnest($1), …) on each shard
/// Core      the session's; within its open transaction
/// Lifetime  borrows session, request and plan
/// Errors    the shards', with the shard's name; 53400 where rows must be kept and are too many; ConnectionLost
/// Bound     a batch of kBatchBytes, unless all rows must go at once: then limits.memory
class RowWriter {
   public:
    RowWriter(Session& session, const Request& request, const planner::InsertSelect& plan, std::vector<SourceColumn> columns);

    /// Takes a copy of a row.
    void add(std::string_view body);
    /// The batch should be written before more is added.
    bool full() const;
    Task<> flush();
    /// Writes what is left. A statement without rows is still run once: PostgreSQL may have something to say to it.
    Task<> finish();
    std::uint64_t rows() const { return rows_; }

   private:
    static constexpr std::size_t kBatchBytes = std::size_t{1} << 20;
    static constexpr std::size_t kBatchRows = 16384;
    using Values = std::vector<std::string_view>;

    struct Part;
    struct Fills;

    std::string statement() const;
    std::string value_of(std::size_t source) const;
    std::size_t supplied() const { return columns_.size(); }
    Task<Fills> fill(std::size_t rows);
    Task<> choose_shards(const Fills& fills);
    Task<> ask_for_shards(const std::vector<std::size_t>& rows, const std::vector<std::string_view>& keys, const std::string& type_name);
    ShardId shard_of_null() const;
    std::string_view key_of(std::size_t row, const Fills& fills, bool& null) const;
    Task<> send(ShardId shard, Part& part, const Fills& fills);
    void take_returned(std::map<ShardId, Part>& parts);
    void put_bind(std::string& out, const Part& part) const;
    Task<> copy_to_others(const Part& part);
    bool key_is_source() const;
    void note_sequences(const std::vector<std::optional<std::string>>& last);

    Session& session_;
    const Request& request_;
    const planner::InsertSelect& plan_;
    std::vector<SourceColumn> columns_;
    std::vector<std::size_t> fills_;     ///< targets that are filled in
    std::string sql_;                    ///< what every shard runs
    std::string* answer_ = nullptr;
    std::string batch_;                  ///< DataRow bodies
    std::vector<std::size_t> ends_;      ///< of each row in `batch_`
    std::vector<ShardId> shards_;        ///< of each row of the batch
    Values values_;
    bool written_ = false;
    bool described_ = false;
    std::uint64_t rows_ = 0;
};

}  // namespace pgmosaic::coordinator
