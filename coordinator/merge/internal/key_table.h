#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coordinator/merge/internal/row.h"
#include "coordinator/merge/internal/value_order.h"
#include "planner/plan.h"

namespace pgmosaic::merge {

/// Bytes that stay where they are until the arena goes.
class Arena {
 public:
    std::string_view keep(std::string_view bytes);
    std::size_t bytes() const { return bytes_; }

 private:
    std::vector<std::unique_ptr<char[]>> chunks_;
    std::size_t left_ = 0;
    char* next_ = nullptr;
    std::size_t bytes_ = 0;
};

/// The key columns of a row as bytes that are equal exactly if the keys are; NULL equals NULL.
class RowIdentity {
 public:
    explicit RowIdentity(std::span<const planner::SortKey> keys);

    /// `at(column)` gives the Value of a column of the row.
    template <class At>
    void write(const At& at, std::string& out) const {
        out.clear();
        for (const Key& key : keys_) append(key.order, at(key.column), out);
    }

 private:
    struct Key {
        std::uint16_t column = 0;
        ValueOrder order;
    };
    static void append(const ValueOrder& order, const Value& value, std::string& out);

    std::vector<Key> keys_;
};

/// Numbers the distinct identities, from 0, in the order in which they come.
///
/// Bound  all identities seen
class KeyTable {
 public:
    struct Found {
        std::uint32_t number = 0;
        bool added = false;
    };
    Found find_or_add(std::string_view identity);
    std::size_t size() const { return numbers_.size(); }
    std::size_t bytes() const;

 private:
    struct Hash {
        using is_avalanching = void;
        std::size_t operator()(std::string_view key) const noexcept;
    };

    Arena arena_;
    boost::unordered_flat_map<std::string_view, std::uint32_t, Hash> numbers_;
};

/// Lets the first row of each group pass.
///
/// Bound  one row if equal rows come one after the other, as the leading keys of ORDER BY make
/// them; else all groups
class FirstOfGroup {
 public:
    explicit FirstOfGroup(const planner::MergeSpec& spec);

    template <class At>
    bool passes(const At& at) {
        identity_.write(at, current_);
        if (!adjacent_) return seen_.find_or_add(current_).added;
        if (started_ && current_ == last_) return false;
        started_ = true;
        last_.swap(current_);
        return true;
    }
    std::size_t bytes() const { return seen_.bytes(); }

 private:
    RowIdentity identity_;
    bool adjacent_;
    bool started_ = false;
    std::string current_;
    std::string last_;
    KeyTable seen_;
};

}  // namespace pgmosaic::merge
