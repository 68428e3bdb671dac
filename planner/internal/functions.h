#pragma once

#include <pg_query.pb.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "planner/catalog.h"

namespace pgmosaic::planner {

/// What may be called by a name: the worst of all functions that it can mean.
struct FunctionTraits {
    char volatility = 'i';
    bool user = false;  ///< a function outside pg_catalog may be meant
    Reach reach = Reach::kNone;
    bool aggregate = false;
    bool window = false;
    bool set_returning = false;
};

/// The function that a call means, if it was distributed; null for all others.
/// Errors: 0A000 where it may mean several, of which one was distributed.
const Function* distributed_function(const pg_query::FuncCall& call, const Catalog& catalog, const std::vector<std::string>& search_path);
/// The expression that the key argument of a distributed function gets; null where its default is taken.
const pg_query::Node* key_argument(const pg_query::FuncCall& call, const FunctionSpread& spread);

FunctionTraits traits_of(const pg_query::FuncCall& call, const Catalog& catalog, const std::vector<std::string>& search_path);

/// True if the name is in the list.
template <std::size_t N>
bool one_of(std::string_view name, const std::string_view (&list)[N]) {
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

/// nextval, setval, currval, lastval: sequences live on the home shard.
bool is_sequence_function(std::string_view name);
/// set_config, session advisory locks …: leaves state in the server session.
bool is_session_function(std::string_view name);
/// query_to_xml, ts_stat …: reads tables that its text argument names, which no plan can see.
bool reads_by_text(std::string_view name);

/// The last part of a possibly qualified name, and the part before it.
struct QualifiedName {
    std::string schema{};
    std::string name{};
};
QualifiedName name_of(const google::protobuf::RepeatedPtrField<pg_query::Node>& parts);

}  // namespace pgmosaic::planner
