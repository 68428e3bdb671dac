#pragma once

#include <optional>
#include <string>

#include "planner/internal/analysis.h"
#include "planner/merge_types.h"

namespace pgmosaic::planner {

/// First OID that is not fixed by PostgreSQL's own catalog: user types have another one on each server.
inline constexpr Oid kUserOidMin = 16384;

/// What is known of an expression's type without a server.
struct ExpressionType {
    Oid oid = 0;
    std::string name{};  ///< as CREATE TABLE wants it
    friend bool operator==(const ExpressionType& a, const ExpressionType& b) { return a.oid == b.oid; }
};

/// Types of expressions of one query level: columns, casts, the common operators, functions and aggregates of pg_catalog.
/// What it does not know for certain it does not answer; the plan then leaves the work to PostgreSQL.
class TypeFinder {
   public:
    TypeFinder(const QueryAnalysis& analysis, PlanContext& context) : analysis_(analysis), context_(context) {}

    std::optional<ExpressionType> type_of(const pg_query::Node& expression, int level) const;

    /// True if values of the expression, of that type, are ordered by their bytes (or the type has no collation).
    bool byte_ordered(const pg_query::Node& expression, Oid type, int level) const;
    /// True if equal values have equal bytes: no nondeterministic collation takes part.
    bool deterministic(const pg_query::Node& expression, int level) const;
    /// The base column that a plain column reference shows, unchanged by set operations on the way.
    const Column* base_column(const pg_query::Node& expression, int level) const;

   private:
    std::optional<ExpressionType> column_type(ColumnNode node) const;
    std::optional<ExpressionType> operator_type(const pg_query::A_Expr& expression, int level) const;
    std::optional<ExpressionType> function_type(const pg_query::FuncCall& call, int level) const;
    using Nodes = google::protobuf::RepeatedPtrField<pg_query::Node>;
    std::optional<ExpressionType> common_type(const Nodes& nodes, int level) const;
    std::optional<ExpressionType> case_type(const pg_query::CaseExpr& expression, int level) const;

    const QueryAnalysis& analysis_;
    PlanContext& context_;
};

/// The type of pg_catalog with that name (`int4`, `timestamptz` …); nullopt for those that no plan needs to know.
std::optional<ExpressionType> builtin_type(std::string_view name);
/// format_type() of a type that builtin_type knows.
std::string type_name_of(Oid type);

}  // namespace pgmosaic::planner
