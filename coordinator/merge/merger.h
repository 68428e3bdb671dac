#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "planner/plan.h"

namespace pgmosaic::merge {

/// A column of the answer as the client asked for it.
struct ColumnFormat {
    Oid type = 0;
    bool binary = false;
};

/// Makes one result of the rows of several shards.
///
/// Shape     DataRow bodies of `inputs` shards, as planner::MergeSpec draws them → complete DataRow
/// frames for the client Core      the session's; never waits Errors    make: 0A000 for a type or
/// locale that cannot be compared here, 2201W and 2201X for a negative LIMIT or
///           OFFSET; row: 08P01 for a body that is not of the promised shape, 22003 for a sum that
///           is out of range
/// Bound     sorted: a batch of rows per input, kept by wants(); distinct: the keys seen;
/// aggregate: the groups.
///           buffered_bytes() tells, the caller compares it with its limit
class Merger {
 public:
    /// `visible` describes spec.visible columns. LIMIT and OFFSET come resolved; spec.limit and
    /// spec.offset are not read.
    static std::unique_ptr<Merger> make(const planner::MergeSpec& spec, std::size_t inputs,
                                        const std::vector<ColumnFormat>& visible,
                                        std::optional<std::int64_t> limit,
                                        std::optional<std::int64_t> offset);
    virtual ~Merger() = default;

    /// True if rows pass as they are, so that the caller may relay frames and never call row().
    static bool relays(const planner::MergeSpec& spec, std::optional<std::int64_t> limit,
                       std::optional<std::int64_t> offset);

    /// False: stop reading this shard for now. Rows that are in memory already may still be given.
    virtual bool wants(std::size_t input) const = 0;
    /// A DataRow without its type and length: int16 count, then values. Hidden columns are cut off
    /// here.
    virtual void row(std::size_t input, std::string_view body) = 0;
    /// The shard has sent its last row.
    virtual void input_done(std::size_t input) = 0;
    /// Appends complete frames until there are no more for now, `out` has grown by `bytes_max` (the
    /// last frame may stand over), or `rows_max` frames were appended (a portal's row limit).
    virtual void drain(std::string& out, std::size_t bytes_max, std::uint64_t rows_max) = 0;
    void drain(std::string& out, std::size_t bytes_max) {
        drain(out, bytes_max, ~std::uint64_t{0});
    }
    /// Nothing will be appended any more. Before all inputs are done: LIMIT is reached, and shards
    /// may be told to stop.
    virtual bool finished() const = 0;
    /// Rows appended so far, for the command tag.
    virtual std::uint64_t rows() const = 0;
    virtual std::size_t buffered_bytes() const = 0;
};

}  // namespace pgmosaic::merge
