#include "planner/internal/select_build.h"

#include "planner/internal/functions.h"

namespace pgmosaic::planner {

namespace {

using pg_query::Node;

// How much a name is worth: a cast's type name only serves where the expression below has none.
struct ColumnName {
    int strength = 0;
    std::string name{};
};

ColumnName name_of_expression(const Node& node);

ColumnName name_of_cast(const Node& argument, const pg_query::TypeName& type) {
    ColumnName below = name_of_expression(argument);
    if (below.strength > 1 || type.names().empty()) return below;
    return {1, name_of(type.names()).name};
}

ColumnName name_of_indirection(const pg_query::A_Indirection& indirection) {
    for (int i = indirection.indirection_size() - 1; i >= 0; --i) {
        if (indirection.indirection(i).has_string()) return {2, indirection.indirection(i).string().sval()};
    }
    return name_of_expression(indirection.arg());
}

ColumnName name_of_column(const pg_query::ColumnRef& column) {
    for (int i = column.fields_size() - 1; i >= 0; --i) {
        if (column.fields(i).has_string()) return {2, column.fields(i).string().sval()};
    }
    return {};
}

ColumnName name_of_sublink(const pg_query::SubLink& link) {
    switch (link.sub_link_type()) {
        case pg_query::EXISTS_SUBLINK: return {2, "exists"};
        case pg_query::ARRAY_SUBLINK: return {2, "array"};
        case pg_query::EXPR_SUBLINK: {
            const pg_query::SelectStmt* select = &link.subselect().select_stmt();
            while (!is_plain(*select)) select = &select->larg();
            if (select->target_list_size() == 0) return {};
            const pg_query::ResTarget& target = select->target_list(0).res_target();
            return target.name().empty() ? name_of_expression(target.val()) : ColumnName{2, target.name()};
        }
        default: return {};
    }
}

ColumnName name_of_value_function(pg_query::SQLValueFunctionOp op) {
    switch (op) {
        case pg_query::SVFOP_CURRENT_DATE: return {2, "current_date"};
        case pg_query::SVFOP_CURRENT_TIME:
        case pg_query::SVFOP_CURRENT_TIME_N: return {2, "current_time"};
        case pg_query::SVFOP_CURRENT_TIMESTAMP:
        case pg_query::SVFOP_CURRENT_TIMESTAMP_N: return {2, "current_timestamp"};
        case pg_query::SVFOP_LOCALTIME:
        case pg_query::SVFOP_LOCALTIME_N: return {2, "localtime"};
        case pg_query::SVFOP_LOCALTIMESTAMP:
        case pg_query::SVFOP_LOCALTIMESTAMP_N: return {2, "localtimestamp"};
        case pg_query::SVFOP_CURRENT_ROLE: return {2, "current_role"};
        case pg_query::SVFOP_CURRENT_USER: return {2, "current_user"};
        case pg_query::SVFOP_USER: return {2, "user"};
        case pg_query::SVFOP_SESSION_USER: return {2, "session_user"};
        case pg_query::SVFOP_CURRENT_CATALOG: return {2, "current_catalog"};
        case pg_query::SVFOP_CURRENT_SCHEMA: return {2, "current_schema"};
        default: return {};
    }
}

ColumnName name_of_xml(pg_query::XmlExprOp op) {
    switch (op) {
        case pg_query::IS_XMLCONCAT: return {2, "xmlconcat"};
        case pg_query::IS_XMLELEMENT: return {2, "xmlelement"};
        case pg_query::IS_XMLFOREST: return {2, "xmlforest"};
        case pg_query::IS_XMLPARSE: return {2, "xmlparse"};
        case pg_query::IS_XMLPI: return {2, "xmlpi"};
        case pg_query::IS_XMLROOT: return {2, "xmlroot"};
        case pg_query::IS_XMLSERIALIZE: return {2, "xmlserialize"};
        default: return {};
    }
}

ColumnName name_of_case(const pg_query::CaseExpr& expression) {
    ColumnName otherwise = expression.has_defresult() ? name_of_expression(expression.defresult()) : ColumnName{};
    return otherwise.strength > 1 ? otherwise : ColumnName{1, "case"};
}

ColumnName name_of_expression(const Node& node) {
    switch (node.node_case()) {
        case Node::kColumnRef: return name_of_column(node.column_ref());
        case Node::kAIndirection: return name_of_indirection(node.a_indirection());
        case Node::kFuncCall: return {2, name_of(node.func_call().funcname()).name};
        case Node::kAExpr:
            return node.a_expr().kind() == pg_query::AEXPR_NULLIF ? ColumnName{2, "nullif"} : ColumnName{};
        case Node::kTypeCast: return name_of_cast(node.type_cast().arg(), node.type_cast().type_name());
        case Node::kCollateClause: return name_of_expression(node.collate_clause().arg());
        case Node::kGroupingFunc: return {2, "grouping"};
        case Node::kSubLink: return name_of_sublink(node.sub_link());
        case Node::kCaseExpr: return name_of_case(node.case_expr());
        case Node::kAArrayExpr: return {2, "array"};
        case Node::kRowExpr: return {2, "row"};
        case Node::kCoalesceExpr: return {2, "coalesce"};
        case Node::kMinMaxExpr: return {2, node.min_max_expr().op() == pg_query::IS_GREATEST ? "greatest" : "least"};
        case Node::kSqlvalueFunction: return name_of_value_function(node.sqlvalue_function().op());
        case Node::kXmlExpr: return name_of_xml(node.xml_expr().op());
        case Node::kXmlSerialize: return {2, "xmlserialize"};
        default: return {};
    }
}

// `(a + b) AT TIME ZONE c` is written without its parentheses (libpg_query 15-4.0.0); as a call it is not.
void call_by_name(google::protobuf::Message& root) {
    walk_mutable(root, [](google::protobuf::Message& message) {
        auto* call = as<pg_query::FuncCall>(message);
        if (call && call->funcformat() == pg_query::COERCE_SQL_SYNTAX && name_of(call->funcname()).name == "timezone") {
            call->set_funcformat(pg_query::COERCE_EXPLICIT_CALL);
        }
        return true;
    });
}

// What does not matter when two trees are compared: places in the text, and how calls and casts were spelled.
void forget_spelling(google::protobuf::Message& root) {
    walk_mutable(root, [](google::protobuf::Message& message) {
        const auto* location = message.GetDescriptor()->FindFieldByName("location");
        if (location && !location->is_repeated()) message.GetReflection()->ClearField(&message, location);
        if (auto* call = as<pg_query::FuncCall>(message)) call->set_funcformat(pg_query::COERCE_EXPLICIT_CALL);
        if (auto* row = as<pg_query::RowExpr>(message)) row->set_row_format(pg_query::COERCE_EXPLICIT_CALL);
        return true;
    });
}

std::string spelling_free(pg_query::Node statement) {
    forget_spelling(statement);
    return statement.SerializeAsString();
}

}  // namespace

std::string write_select(pg_query::SelectStmt select) {
    Node statement;
    *statement.mutable_select_stmt() = std::move(select);
    return write_statement(std::move(statement));
}

std::string write_statement(Node statement) {
    call_by_name(statement);
    std::string text = deparse(statement);
    ParsedTree again;
    parse(text, again);
    const bool faithful = again.result && again.result->stmts_size() == 1 &&
                          spelling_free(again.result->stmts(0).stmt()) == spelling_free(std::move(statement));
    if (faithful) return text;
    throw PgError(refusal("this statement cannot be rewritten for several shards", "Written anew, it would be: " + text,
                          "Write its expressions in another way, or bind every sharded table to one value of its shard key."));
}

std::string write_expression(const pg_query::Node& expression) {
    pg_query::SelectStmt select;
    *select.add_target_list()->mutable_res_target()->mutable_val() = expression;
    select.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
    select.set_op(pg_query::SETOP_NONE);
    constexpr std::size_t kPrefix = sizeof("SELECT ") - 1;
    return write_select(std::move(select)).substr(kPrefix);
}

pg_query::Node expression_from(std::string_view sql) {
    ParsedTree tree;
    parse("SELECT " + std::string(sql), tree);
    if (!tree.result) throw PgError(Error{.message = "planner wrote an expression that does not parse", .detail = std::string(sql)});
    return tree.result->stmts(0).stmt().select_stmt().target_list(0).res_target().val();
}

pg_query::Node column_reference(const std::string& qualifier, const std::string& name) {
    Node node;
    pg_query::ColumnRef& column = *node.mutable_column_ref();
    if (!qualifier.empty()) column.add_fields()->mutable_string()->set_sval(qualifier);
    column.add_fields()->mutable_string()->set_sval(name);
    return node;
}

std::string default_column_name(const Node& expression) {
    ColumnName found = name_of_expression(expression);
    return found.strength == 0 ? "?column?" : found.name;
}

bool is_constant(const Node& node) {
    if (node.has_type_cast()) return is_constant(node.type_cast().arg());
    return node.has_a_const() || node.has_param_ref();
}

Node node_of(const pg_query::FuncCall& call) {
    Node node;
    *node.mutable_func_call() = call;
    return node;
}

Node renamed(const pg_query::FuncCall& call, const std::string& name) {
    Node node = node_of(call);
    node.mutable_func_call()->clear_funcname();
    node.mutable_func_call()->add_funcname()->mutable_string()->set_sval(name);
    return node;
}

bool is_star(const Node& expression) {
    if (!expression.has_column_ref()) return false;
    const auto& fields = expression.column_ref().fields();
    return !fields.empty() && fields[fields.size() - 1].has_a_star();
}

bool is_plain(const pg_query::SelectStmt& select) {
    return select.op() == pg_query::SETOP_NONE || select.op() == pg_query::SET_OPERATION_UNDEFINED;
}

void walk_both(const google::protobuf::Message& original, google::protobuf::Message& copy, const VisitBoth& visit) {
    if (!visit(original, copy)) return;
    using google::protobuf::FieldDescriptor;
    const auto* reflection = original.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection->ListFields(original, &fields);
    for (const FieldDescriptor* field : fields) {
        if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
        if (!field->is_repeated()) {
            walk_both(reflection->GetMessage(original, field), *reflection->MutableMessage(&copy, field), visit);
            continue;
        }
        for (int i = 0; i < reflection->FieldSize(original, field); ++i) {
            walk_both(reflection->GetRepeatedMessage(original, field, i), *reflection->MutableRepeatedMessage(&copy, field, i), visit);
        }
    }
}

}  // namespace pgmosaic::planner
