#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "planner/catalog.h"
#include "planner/plan.h"

namespace pgmosaic::planner {

/// What a plan depends on besides the text. All of it belongs to the plan cache's key.
struct Environment {
    std::shared_ptr<const Catalog> catalog;
    std::vector<std::string> search_path{"public"};
    std::string role{};
    bool standard_conforming_strings = true;
    bool has_temporary_tables = false;
    std::uint64_t fingerprint = 0;  ///< changes with any of the above; kept by the session
};

/// A plan with the literals of the very text that was asked for.
struct Planned {
    std::shared_ptr<const PlannedText> text;
    std::vector<Literal> literals;
};

/// Takes SQL apart and says where each statement goes. One instance per core and database; holds the plan cache.
///
/// Core    one; not shared
/// Errors  none: a syntax error or a refusal is part of the plan
/// Bound   the cache keeps at most `entries_max` texts, least recently used go first
class Planner {
   public:
    explicit Planner(std::size_t entries_max = 4096);
    ~Planner();
    Planner(const Planner&) = delete;
    Planner& operator=(const Planner&) = delete;

    /// `out` is reused between calls: a cache hit allocates nothing when the literals fit.
    void plan(std::string_view sql, const Environment& environment, Planned& out);

    std::uint64_t hits() const;
    std::uint64_t misses() const;

   private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The INSERT with only these rows (numbers from 0), fills put in. Keeps parameter numbers as they were.
std::string render_insert(const InsertRows& insert, std::span<const std::size_t> rows, std::span<const std::string> fill_values,
                          std::span<const bool> fill_is_null);

/// A prepared statement's text with $n replaced by the arguments of EXECUTE, cast to the declared types where there are any.
/// Errors: throws PgError 42601 for a wrong number of arguments.
std::string substitute_parameters(std::string_view sql, std::span<const std::string> arguments,
                                  std::span<const std::string> type_names);

/// The statement with each relation of schema `mosaic`, and each view of statistics of that name, replaced by a sub-select (name without schema → its SQL), under the
/// relation's own alias. `kSizesElsewhere` stands for the document that tells sizes and estimates of the other shards.
inline constexpr std::string_view kSizesElsewhere = "sizes elsewhere";
std::string replace_admin_views(std::string_view sql, const std::map<std::string, std::string>& subselects);

/// `'it''s'`, also E'…' where there are backslashes.
std::string quote_literal(std::string_view value);
/// Quoted where PostgreSQL would quote.
std::string quote_identifier(std::string_view name);

}  // namespace pgmosaic::planner
