#include <algorithm>

#include "planner/internal/analyzer.h"
#include "planner/internal/spread_sizes.h"
#include "planner/planner.h"

namespace pgmosaic::planner {

namespace {

bool is_time_function(pg_query::SQLValueFunctionOp op) {
    switch (op) {
        case pg_query::SVFOP_CURRENT_DATE:
        case pg_query::SVFOP_CURRENT_TIME:
        case pg_query::SVFOP_CURRENT_TIME_N:
        case pg_query::SVFOP_CURRENT_TIMESTAMP:
        case pg_query::SVFOP_CURRENT_TIMESTAMP_N:
        case pg_query::SVFOP_LOCALTIME:
        case pg_query::SVFOP_LOCALTIME_N:
        case pg_query::SVFOP_LOCALTIMESTAMP:
        case pg_query::SVFOP_LOCALTIMESTAMP_N: return true;
        default: return false;
    }
}

}  // namespace

void Analyzer::each(const Nodes& nodes, int level) {
    for (const pg_query::Node& node : nodes) expression(node, level);
}

void Analyzer::children(const Message& message, int level) {
    using google::protobuf::FieldDescriptor;
    const auto* reflection = message.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection->ListFields(message, &fields);
    const auto visit = [&](const Message& child) {
        if (const auto* node = as<pg_query::Node>(child)) expression(*node, level);
        else children(child, level);
    };
    for (const FieldDescriptor* field : fields) {
        if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
        if (!field->is_repeated()) {
            visit(reflection->GetMessage(message, field));
            continue;
        }
        for (int i = 0; i < reflection->FieldSize(message, field); ++i) visit(reflection->GetRepeatedMessage(message, field, i));
    }
}

void Analyzer::expression(const pg_query::Node& node, int level) {
    switch (node.node_case()) {
        case pg_query::Node::kAConst:
        case pg_query::Node::kParamRef:
        case pg_query::Node::kString:
        case pg_query::Node::kTypeName: return;
        case pg_query::Node::kColumnRef:
            if (is_estimate(node.column_ref())) note_sizes(kSizesElsewhere);
            return column(node.column_ref(), level);
        case pg_query::Node::kSubLink: {
            sublink(node.sub_link(), level);
            return;
        }
        case pg_query::Node::kFuncCall: return function(node.func_call(), level);
        case pg_query::Node::kSqlvalueFunction: {
            out_.has_now |= is_time_function(node.sqlvalue_function().op());
            return;
        }
        case pg_query::Node::kTypeCast: return expression(node.type_cast().arg(), level);
        default: return children(node, level);
    }
}

void Analyzer::column(const pg_query::ColumnRef& reference, int level) {
    bool unknown = false;
    const auto found = find_column(reference, level, unknown);
    if (found) {
        const int owner = out_.entries[static_cast<std::size_t>(found->entry)].level;
        for (int inner = level; inner != owner && inner >= 0; inner = out_.levels[static_cast<std::size_t>(inner)].parent) {
            out_.levels[static_cast<std::size_t>(inner)].correlated = true;
        }
    }
    for (std::size_t i = 0; i < collectors_.size(); ++i) {
        Conjunct& collector = *collectors_[i];
        if (!found) {
            collector.uses_unknown = true;
            continue;
        }
        const int owner = out_.entries[static_cast<std::size_t>(found->entry)].level;
        if (owner == collector_levels_[i]) collector.uses.push_back(found->entry);
        else if (owner < collector_levels_[i]) collector.uses_outer = true;
    }
}

int Analyzer::sublink(const pg_query::SubLink& link, int level) {
    for (Conjunct* collector : collectors_) collector->has_sublink = true;
    if (link.has_testexpr()) expression(link.testexpr(), level);
    const int targets = in_targets_;
    in_targets_ = 0;
    const int made = statement(link.subselect(), level, Level::Role::kSubLink);
    in_targets_ = targets;
    out_.levels[static_cast<std::size_t>(level)].sublinks.push_back(made);
    return made;
}

// An aggregate belongs to the innermost query whose columns it names; all that may be it are marked.
void Analyzer::mark_aggregate(const pg_query::FuncCall& call, int level) {
    int owner = -1;
    bool columns = false;
    walk(call, [&](const Message& message) {
        if (as<pg_query::SubLink>(message)) return false;
        const auto* reference = as<pg_query::ColumnRef>(message);
        if (!reference) return true;
        columns = true;
        bool unknown = false;
        const auto found = find_column(*reference, level, unknown);
        if (found) owner = std::max(owner, out_.entries[static_cast<std::size_t>(found->entry)].level);
        return false;
    });
    for (int each = level; each >= 0; each = out_.levels[static_cast<std::size_t>(each)].parent) {
        out_.levels[static_cast<std::size_t>(each)].has_aggregates = true;
        if (!columns || each == owner) return;
    }
}

void Analyzer::note_sizes(std::string_view name) {
    if (context_.catalog.has_sharded_tables()) out_.spread_views.emplace_back(name);
}

void Analyzer::function(const pg_query::FuncCall& call, int level) {
    const FunctionTraits traits = traits_of(call, context_.catalog, context_.environment.search_path);
    const std::string name = name_of(call.funcname()).name;
    Level& owner = out_.levels[static_cast<std::size_t>(level)];
    if (call.has_over()) owner.has_windows = true;
    else if (traits.aggregate) mark_aggregate(call, level);
    if (traits.set_returning && in_targets_ > 0) owner.has_set_returning = true;
    // A user's function may return a set, too; the snapshot does not say.
    if (traits.user && !traits.aggregate && in_targets_ > 0) owner.has_set_returning = true;
    const Function* distributed = distributed_function(call, context_.catalog, context_.environment.search_path);
    if (distributed) this->call(call, *distributed, level);
    if (traits.volatility == 'v') {
        out_.has_volatile = out_.has_volatile_expression = true;
        out_.has_loose_volatile |= !distributed;
        for (Conjunct* collector : collectors_) collector->has_volatile = true;
    }
    if (name == "now" || name == "transaction_timestamp" || name == "statement_timestamp") out_.has_now = true;
    out_.has_user_function |= traits.user && traits.volatility != 'i';
    if (traits.user && !distributed && traits.volatility != 'i' && traits.reach != Reach::kNone) {
        out_.has_user_volatile = true;
        out_.has_unknown_function |= traits.reach == Reach::kUnknown;
        out_.user_volatile_name = name;
    }
    if (is_size_function(call)) {
        out_.tells_sizes = true;
        note_sizes(kSizesElsewhere);
    }
    out_.has_sequence_function |= is_sequence_function(name);
    out_.has_sequence_read |= name == "currval" || name == "lastval";
    out_.has_sequence_move |= name == "nextval" || name == "setval";
    out_.has_session_function |= is_session_function(name);
    out_.has_session_setting |= is_session_function(name) && name.find("advisory") == std::string::npos;
    out_.has_session_lock |= name.find("advisory_lock") != std::string::npos;
    out_.has_session_unlock |= name.find("advisory_unlock") != std::string::npos;
    out_.has_notify |= name == "pg_notify";
    if (reads_by_text(name)) out_.reads_by_text = name;
    children(call, level);
}

const MergedColumn* Analyzer::find_merged(int level, const std::string& name) const {
    for (auto each = out_.merged.rbegin(); each != out_.merged.rend(); ++each) {
        if (each->level == level && each->name == name) return &*each;
    }
    return nullptr;
}

std::optional<ColumnNode> Analyzer::find_in_level(const std::string& schema, const std::string& qualifier, const std::string& name,
                                                  int level, bool& unknown) const {
    const Level& scope = out_.levels[static_cast<std::size_t>(level)];
    if (qualifier.empty()) {
        if (const MergedColumn* merged = find_merged(level, name)) {
            unknown |= !merged->node;
            return merged->node;
        }
    }
    std::optional<ColumnNode> found;
    for (int index : scope.entries) {
        const RangeEntry& entry = out_.entries[static_cast<std::size_t>(index)];
        if (!qualifier.empty() && entry.alias != qualifier) continue;
        if (!schema.empty() && (!entry.range_var || entry.range_var->has_alias() || !entry.table || entry.table->schema != schema)) {
            continue;
        }
        const auto position = std::find(entry.columns.begin(), entry.columns.end(), name);
        if (position != entry.columns.end()) {
            unknown |= found.has_value();  // ambiguous: an error that a server reports
            found = ColumnNode{index, static_cast<int>(position - entry.columns.begin())};
        } else if (!entry.columns_known) {
            unknown = true;
        }
    }
    return found;
}

std::optional<ColumnNode> Analyzer::find_column(const pg_query::ColumnRef& reference, int level, bool& unknown) const {
    const auto& fields = reference.fields();
    std::string parts[3];  // column, table, schema
    if (fields.empty() || fields.size() > 3) {
        unknown = true;
        return std::nullopt;
    }
    for (int i = 0; i < fields.size(); ++i) {
        const pg_query::Node& field = fields[fields.size() - 1 - i];
        if (!field.has_string()) {
            unknown = true;
            return std::nullopt;
        }
        parts[i] = field.string().sval();
    }
    for (int scope = level; scope >= 0; scope = next_scope(scope)) {
        bool here_unknown = false;
        // Found once: if something without known columns had it, too, the server would call the name ambiguous.
        if (const auto found = find_in_level(parts[2], parts[1], parts[0], scope, here_unknown)) return found;
        if (here_unknown) break;
    }
    unknown = true;
    return std::nullopt;
}

// Where names that a level does not know are looked for: FROM sub-queries and WITH queries do not see their neighbours, but what is
// around the query that contains them.
int Analyzer::next_scope(int level) const {
    const Level& here = out_.levels[static_cast<std::size_t>(level)];
    switch (here.role) {
        case Level::Role::kStatement:
        case Level::Role::kView: return -1;
        case Level::Role::kSubLink: return here.parent;
        case Level::Role::kFromQuery:
            if (here.lateral) return here.parent;
            break;
        case Level::Role::kCte:
        case Level::Role::kOperand: break;
    }
    return next_scope(here.parent);
}

}  // namespace pgmosaic::planner
