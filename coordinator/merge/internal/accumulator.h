#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/merge/internal/row.h"
#include "planner/plan.h"

namespace pgmosaic::merge {

/// One column of an aggregated answer, for all groups.
class Accumulator {
 public:
    /// Errors: 0A000 for an aggregate or type that cannot be combined.
    static std::unique_ptr<Accumulator> make(const planner::OutputColumn& column, bool binary);
    virtual ~Accumulator() = default;

    /// One more group, empty yet.
    virtual void grow() = 0;
    virtual void add(std::uint32_t group, const std::vector<Value>& row) = 0;
    /// What the client sees, in its format. Valid until `scratch` changes.
    virtual Value shown(std::uint32_t group, std::string& scratch) const = 0;
    /// What ORDER BY compares, in binary format.
    virtual Value compared(std::uint32_t group, std::string& scratch) const = 0;
    virtual std::size_t bytes() const = 0;
};

}  // namespace pgmosaic::merge
