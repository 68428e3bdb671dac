#include "planner/internal/stand_in.h"

#include "planner/internal/statement.h"
#include "planner/planner.h"

namespace pgmosaic::planner {

pg_query::Node document_node(std::string_view document) {
    ParsedTree tree;
    parse("SELECT " + quote_literal(document) + "::pg_catalog.jsonb", tree);
    PGM_CHECK(tree.result != nullptr, "a quoted document is a constant");
    return tree.result->stmts(0).stmt().select_stmt().target_list(0).res_target().val();
}

void set_function(pg_query::FuncCall& call, const std::string& name) {
    call.clear_funcname();
    for (const std::string& part : {std::string("pg_mosaic"), name}) call.add_funcname()->mutable_string()->set_sval(part);
}

void stand_in(pg_query::FuncCall& call, const pg_query::Node& document) {
    set_function(call, name_of(call.funcname()).name);
    *call.add_args() = document;
}

}  // namespace pgmosaic::planner
