#include <algorithm>

#include "planner/internal/functions.h"
#include "planner/internal/insert_select.h"
#include "planner/internal/insert_text.h"
#include "planner/internal/statement.h"
#include "planner/internal/time_places.h"
#include "planner/internal/write_workbench.h"

namespace pgmosaic::planner {

namespace {

// A SELECT gives 1,664 columns at most (MaxTupleAttributeNumber): more fills come as rows of one column.
constexpr std::size_t kFillColumnsMax = 1600;

bool is_null_constant(const pg_query::Node& node) {
    if (node.has_type_cast()) return is_null_constant(node.type_cast().arg());
    return node.has_a_const() && node.a_const().isnull();
}

bool calls_sequence(const google::protobuf::Message& message) {
    bool found = false;
    walk(message, [&](const google::protobuf::Message& each) {
        const auto* call = as<pg_query::FuncCall>(each);
        found |= call && is_sequence_function(name_of(call->funcname()).name);
        return !found;
    });
    return found;
}

class InsertPlanner {
   public:
    InsertPlanner(const pg_query::Node& node, const QueryAnalysis& analysis, StatementText text, PlanContext& context)
        : insert_(node.insert_stmt()), node_(node), analysis_(analysis), text_(text), context_(context), target_(find_target()),
          table_(*analysis.entries[static_cast<std::size_t>(target_)].table) {}

    Statement plan() {
        if (table_.kind == 'v') {
            refuse("cannot insert into view " + quoted(table_.name), "It stands for sharded tables, and a row's shard is found by the table's key.",
                   "Insert into the table itself.");
        }
        if (table_.placement != Placement::kSharded) return into_other();
        check_conflict_clause();
        if (analysis_.has_modifying_cte) return from_write();
        read_columns();
        if (!insert_.has_select_stmt()) return default_values();
        const pg_query::SelectStmt& source = insert_.select_stmt().select_stmt();
        return source.values_lists_size() > 0 && source.op() == pg_query::SETOP_NONE ? values(source) : from_select();
    }

   private:
    int find_target() const {
        for (int index : analysis_.levels[0].entries) {
            if (analysis_.entries[static_cast<std::size_t>(index)].target) return index;
        }
        return 0;
    }

    const Column& key_column() const { return table_.columns[static_cast<std::size_t>(table_.key)]; }

    // A local or reference table filled from sharded ones.
    Statement into_other() {
        if (analysis_.has_modifying_cte) return from_write();
        read_columns();
        return gather();
    }

    // Rows that another write gives back.
    Statement from_write() {
        const auto changed = read_from_write(insert_);
        if (!changed && !insert_.has_on_conflict_clause()) refuse_modifying_with();
        read_columns();
        // Conflicts are met where the rows go: what WITH does is done first, and its rows come as a query's.
        if (!changed) return gather();
        return gather_insert(*changed, table_, columns_, context_);
    }

    Statement gather() const { return gather_insert(insert_, table_, columns_, context_); }

    [[noreturn]] void refuse_modifying_with() {
        refuse("cannot insert into " + quoted(table_.name) + " with data-modifying WITH", "The parts of the statement may lie on several shards.",
               "Use several statements in a transaction.");
    }

    void check_conflict_clause() {
        if (!insert_.has_on_conflict_clause()) return;
        const pg_query::OnConflictClause& conflict = insert_.on_conflict_clause();
        const std::string& key = key_column().name;
        for (const pg_query::Node& assignment : conflict.target_list()) {
            if (assignment.res_target().name() != key) continue;
            // SET key = excluded.key keeps it: the row in the way has the same key.
            const auto& fields = assignment.res_target().val().column_ref().fields();
            const bool same = fields.size() == 2 && fields[0].string().sval() == "excluded" && fields[1].string().sval() == key;
            if (!same) {
                refuse("cannot change shard key " + quoted(key) + " of " + quoted(table_.name), "The row would belong to another shard.",
                       "Leave the key out of DO UPDATE SET.");
            }
        }
        if (!conflict.has_infer() || conflict.infer().index_elems_size() == 0) return;
        for (const pg_query::Node& element : conflict.infer().index_elems()) {
            if (element.index_elem().name() == key) return;
        }
        refuse("ON CONFLICT on " + quoted(table_.name) + " must include the shard key",
               "Table " + quoted(table_.name) + " is sharded by " + quoted(key) + "; a row in the way may lie on another shard.",
               "Add " + quote_identifier(key) + " to the columns of ON CONFLICT and of the unique constraint.");
    }

    void read_columns() {
        for (const pg_query::Node& column : insert_.cols()) {
            const std::string& name = column.res_target().name();
            const auto found = std::find_if(table_.columns.begin(), table_.columns.end(), [&](const Column& each) { return each.name == name; });
            if (found == table_.columns.end()) {
                throw PgError(Error{.code = sqlstate::kUndefinedColumn,
                                    .message = "column \"" + name + "\" of relation \"" + table_.name + "\" does not exist",
                                    .position = column.res_target().location() + 1});
            }
            columns_.push_back(static_cast<std::size_t>(found - table_.columns.begin()));
        }
        if (insert_.cols_size() > 0 || !insert_.has_select_stmt()) return;
        std::size_t width = 0;
        const auto& rows = insert_.select_stmt().select_stmt().values_lists();
        for (const pg_query::Node& row : rows) width = std::max(width, static_cast<std::size_t>(row.list().items_size()));
        if (rows.empty()) width = analysis_.levels[static_cast<std::size_t>(analysis_.levels[0].source)].output_names.size();
        for (std::size_t i = 0; i < table_.columns.size() && i < width; ++i) columns_.push_back(i);
    }

    std::optional<std::size_t> key_position() const {
        const auto found = std::find(columns_.begin(), columns_.end(), static_cast<std::size_t>(table_.key));
        if (found == columns_.end()) return std::nullopt;
        return static_cast<std::size_t>(found - columns_.begin());
    }

    // ---- keys and fills

    // PostgreSQL's own error, with the row in it, comes from a shard that gets the row: any.
    InsertRows::Key null_key(InsertText::Item& item) {
        const std::string& key = key_column().name;
        if (null_key_is_told()) {
            item.text = "NULL";
            return {false, 0, {ValueRef::From::kConstant, 0, Literal{Literal::Kind::kNull, false, {}}}};
        }
        throw PgError(Error{.code = sqlstate::kNullValueNotAllowed,
                            .message = "shard key \"" + key + "\" of \"" + table_.name + "\" cannot be null",
                            .detail = "The key says on which shard the row belongs.",
                            .hint = "Give the row a key."});
    }

    bool null_key_is_told() const { return key_column().not_null && !table_.has_row_triggers; }

    // The default of the column, unless `clients` expression is given.
    std::size_t add_fill(const std::string& expression, const Column& column, const pg_query::Node* clients = nullptr) {
        const int index = static_cast<int>(&column - table_.columns.data());
        const bool moves = clients ? calls_sequence(*clients) || analysis_.has_user_function : column.default_needs_home;
        const bool known = !clients && !column.default_sequence.empty();
        if (known && (keys_.size() != last_fill_row_ || last_fill_column_ < index)) {
            last_fill_ = fills_.size();
            last_fill_row_ = keys_.size();
            last_fill_column_ = index;
        }
        fill_columns_.push_back(static_cast<std::int16_t>(!moves ? InsertRows::kMovesNone : known ? index : InsertRows::kMovesAny));
        fills_.push_back("CAST((" + expression + ") AS " + column.type_name + ")::pg_catalog.text");
        return fills_.size() - 1;
    }

    InsertRows::Key default_key(InsertText::Item& item) {
        const Column& column = key_column();
        if (column.default_expr.empty()) return null_key(item);
        item.fill = add_fill(column.default_expr, column);
        return {true, *item.fill, {}};
    }

    InsertRows::Key key_of(const pg_query::Node& value, InsertText::Item& item) {
        const Column& column = key_column();
        if (is_null_constant(value)) return null_key(item);
        const auto family = shardmap::key_family(column.type);
        const auto read = family ? context_.key_value_of(value, *family) : std::nullopt;
        if (read && read->from == ValueRef::From::kParameter) return {false, 0, *read};
        if (read && canonical_key(context_.literal_of(*read), column.type, column.typmod)) {
            if (read->from == ValueRef::From::kLiteral) context_.key_slots.push_back({read->index, column.type, column.typmod});
            return {false, 0, *read};
        }
        context_.exact_literals = true;
        check_key_expression(value);
        item.fill = add_fill(item.text, column, &value);
        return {true, *item.fill, {}};
    }

    // The rows must be evaluated as a query.
    struct NotBeforehand {};

    // What must be computed before routing is computed on the home shard: it can hold anything but parameters and sharded tables.
    void check_key_expression(const pg_query::Node& value) {
        walk(value, [&](const google::protobuf::Message& each) {
            if (as<pg_query::ParamRef>(each) || (as<pg_query::SubLink>(each) && analysis_.sharded().size() > 1)) throw NotBeforehand{};
            return true;
        });
    }

    // A column that the row leaves to its default, which only the home shard can give.
    bool needs_fill(const Column& column) const { return column.default_needs_home && !column.generated; }

    // Rows on several shards whose default is the time: it is one for all of them.
    std::string shared_moment(const Column& column) const {
        const bool several = insert_.select_stmt().select_stmt().values_lists_size() > 1;
        const bool tells_time = several && column.default_is_volatile && !column.default_needs_home && !column.generated;
        return tells_time ? default_with_places(column.default_expr) : std::string();
    }

    void check_identity(std::size_t index, const pg_query::Node& value, const InsertText& text) {
        const Column& column = table_.columns[index];
        if (column.identity != 'a' || value.has_set_to_default() || !text.overriding.empty()) return;
        throw PgError(Error{.code = SqlState{"428C9"},
                            .message = "cannot insert a non-DEFAULT value into column \"" + column.name + "\"",
                            .detail = "Column \"" + column.name + "\" is an identity column defined as GENERATED ALWAYS.",
                            .hint = "Use OVERRIDING SYSTEM VALUE to override."});
    }

    // ---- the three sources

    Statement default_values() {
        InsertText text;
        text.head = "INSERT INTO " + relation_text();
        text.rows.emplace_back();
        text.tail = tail_of_default_values();
        return finish(std::move(text), nullptr);
    }

    std::string relation_text() const {
        const pg_query::RangeVar& relation = insert_.relation();
        std::string name = quote_identifier(relation.relname());
        if (!relation.schemaname().empty()) name = quote_identifier(relation.schemaname()) + "." + name;
        if (relation.has_alias()) name += " AS " + quote_identifier(relation.alias().aliasname());
        return name;
    }

    // What follows DEFAULT VALUES.
    std::string tail_of_default_values() const {
        const std::string_view behind = text_behind_word(text_.text, "values");
        std::string tail(behind);
        while (!tail.empty() && (tail.back() == ';' || std::isspace(static_cast<unsigned char>(tail.back())))) tail.pop_back();
        return tail;
    }

    Statement values(const pg_query::SelectStmt& source) {
        auto text = cut_insert(text_.text);
        if (!text || text->rows.size() != static_cast<std::size_t>(source.values_lists_size())) {
            // Comments between the parts of a string and the like: the parser's own writing can be cut.
            rewritten_ = deparse(node_);
            text = cut_insert(rewritten_);
            context_.exact_literals = true;
        }
        if (!text || text->rows.size() != static_cast<std::size_t>(source.values_lists_size())) {
            refuse("cannot spread this INSERT over shards", "Its rows could not be told apart.", "Use one row per INSERT.");
        }
        return finish(std::move(*text), &source);
    }

    void read_row(const pg_query::SelectStmt* source, std::size_t row, InsertText& text) {
        static const google::protobuf::RepeatedPtrField<pg_query::Node> kNone;
        const auto& items = source ? source->values_lists(static_cast<int>(row)).list().items() : kNone;
        std::vector<InsertText::Item>& parts = text.rows[row];
        if (source && (parts.size() != static_cast<std::size_t>(items.size()) || parts.size() != columns_.size())) {
            throw PgError(Error{.code = sqlstate::kSyntaxError,
                                .message = parts.size() > columns_.size() ? "INSERT has more expressions than target columns"
                                                                          : "INSERT has more target columns than expressions"});
        }
        InsertRows::Key key;
        bool has_key = false;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            const std::size_t index = columns_[i];
            const Column& column = table_.columns[index];
            const pg_query::Node& value = items[static_cast<int>(i)];
            const bool user_value_ignored = text.overriding == "OVERRIDING USER VALUE" && column.identity != 0;
            const bool defaulted = value.has_set_to_default() || user_value_ignored;
            check_identity(index, value, text);
            if (static_cast<int>(index) == table_.key) {
                key = defaulted ? default_key(parts[i]) : key_of(value, parts[i]);
                has_key = true;
            } else if (defaulted && needs_fill(column)) {
                parts[i].fill = add_fill(column.default_expr, column);
            } else if (defaulted && !shared_moment(column).empty()) {
                parts[i].text = shared_moment(column);
            } else if (analysis_.has_sequence_function && calls_sequence(value)) {
                check_key_expression(value);
                parts[i].fill = add_fill(parts[i].text, column, &value);
            }
        }
        for (std::size_t index : omitted_) {
            InsertText::Item item;
            const Column& column = table_.columns[index];
            if (static_cast<int>(index) == table_.key) {
                key = default_key(item);
                has_key = true;
            } else if (needs_fill(column)) {
                item.fill = add_fill(column.default_expr, column);
            } else {
                item.text = shared_moment(column);
            }
            parts.push_back(std::move(item));
        }
        PGM_CHECK(has_key, "the key is among the given or the omitted columns");
        keys_.push_back(std::move(key));
    }

    Statement finish(InsertText text, const pg_query::SelectStmt* source) {
        for (std::size_t i = 0; i < table_.columns.size(); ++i) {
            if (std::find(columns_.begin(), columns_.end(), i) != columns_.end()) continue;
            const Column& column = table_.columns[i];
            if (static_cast<int>(i) == table_.key || needs_fill(column) || !shared_moment(column).empty()) omitted_.push_back(i);
        }
        check_functions();
        try {
            for (std::size_t row = 0; row < text.rows.size(); ++row) read_row(source, row, text);
        } catch (const NotBeforehand&) {
            return gather();
        }
        const auto others = prove_route(analysis_, target_);
        const bool plain = keys_.size() == 1 && fills_.empty() && source;
        const bool reads_sharded = analysis_.sharded().size() > 1;
        const bool nullable_parameter = plain && keys_[0].value.from == ValueRef::From::kParameter && !key_column().not_null;
        if (plain && (reads_sharded || !nullable_parameter)) return routed(others);
        if (reads_sharded || analysis_.touches_local || analysis_.touches_unknown) {
            return gather();
        }
        return spread(std::move(text));
    }

    // Functions in the values of a row run on the row's shard, where sequences are not: those become fills.
    void check_functions() {
        if (analysis_.has_session_function) check_home_state(analysis_);
        bool elsewhere = calls_sequence(insert_.on_conflict_clause()) || calls_sequence(insert_.with_clause());
        for (const pg_query::Node& returned : insert_.returning_list()) elsewhere |= calls_sequence(returned);
        if (elsewhere) check_home_state(analysis_);
    }

    Statement routed(const std::optional<Route>& others) {
        Route route;
        if (others && !others->keys.empty()) route = *others;
        const bool agrees = others && (others->keys.empty() || others->group == table_.group);
        if (!agrees) return gather();
        route.where = Route::Where::kKey;
        route.group = table_.group;
        route.key_type = key_column().type;
        route.needs_home = analysis_.touches_local || analysis_.touches_unknown;
        route.keys.insert(route.keys.begin(), KeyAlternatives{keys_[0].value});
        Statement statement = route_to(std::move(route), "the row's shard key is given");
        const bool reads = insert_.select_stmt().select_stmt().values_lists_size() == 0 || !route_reads_nothing(others);
        if (may_diverge(statement.route)) statement.route.otherwise = reads ? gathering_otherwise() : refusing_otherwise();
        return statement;
    }

    static bool route_reads_nothing(const std::optional<Route>& others) { return others->keys.empty() && !others->needs_home; }

    std::shared_ptr<const Statement> gathering_otherwise() const {
        try {
            return std::make_shared<const Statement>(or_on_workbench(node_, analysis_, text_, context_, [this] { return gather(); }));
        } catch (const PgError& refused) {
            Statement otherwise;
            otherwise.command = Command::kInsert;
            otherwise.plan = PlanKind::kRefuse;
            otherwise.refusal = refused.error();
            return std::make_shared<const Statement>(std::move(otherwise));
        }
    }

    std::shared_ptr<const Statement> refusing_otherwise() const {
        Statement otherwise;
        otherwise.command = Command::kInsert;
        otherwise.plan = PlanKind::kRefuse;
        otherwise.refusal = Error{.code = sqlstate::kInvalidParameterValue,
                                  .message = "invalid value for shard key " + quoted(key_column().name),
                                  .detail = "The value, or another table that the statement reads, does not belong to one shard.",
                                  .hint = "Write the key in its type's standard form, as a value of the key's own type."};
        return std::make_shared<const Statement>(std::move(otherwise));
    }

    Statement spread(InsertText text) {
        const bool always = std::any_of(omitted_.begin(), omitted_.end(), [&](std::size_t i) { return table_.columns[i].identity == 'a'; }) ||
                            std::any_of(columns_.begin(), columns_.end(), [&](std::size_t i) { return table_.columns[i].identity != 0; });
        if (always) text.overriding = "OVERRIDING SYSTEM VALUE";
        for (std::size_t index : columns_) text.columns.push_back(table_.columns[index].name);
        for (std::size_t index : omitted_) text.columns.push_back(table_.columns[index].name);
        Statement statement;
        statement.plan = PlanKind::kInsert;
        statement.reason = fills_.empty() ? "each row goes to the shard of its key" : "defaults are taken on the home shard first";
        InsertRows insert;
        insert.table = table_.oid;
        insert.group = table_.group;
        insert.key_type = key_column().type;
        insert.rows = text.rows.size();
        insert.fills = fills_.size();
        insert.fill_sql = fill_sql();
        insert.fill_columns = std::move(fill_columns_);
        insert.last_fill = last_fill_;
        insert.keys = std::move(keys_);
        insert.tree = std::make_shared<const InsertText>(std::move(text));
        statement.insert = std::move(insert);
        return statement;
    }

    std::string fill_sql() const {
        if (fills_.empty()) return {};
        const bool columns = fills_.size() <= kFillColumnsMax;
        std::string sql = columns ? "SELECT " : "VALUES (";
        for (std::size_t i = 0; i < fills_.size(); ++i) sql += (i == 0 ? "" : columns ? ", " : "), (") + fills_[i];
        return columns ? sql : sql + ")";
    }

    // ---- INSERT … SELECT

    Statement from_select() {
        bool filled = false;
        for (std::size_t i = 0; i < table_.columns.size(); ++i) {
            const bool given = std::find(columns_.begin(), columns_.end(), i) != columns_.end();
            filled |= !given && needs_fill(table_.columns[i]);
        }
        const auto position = key_position();
        const Level& source = analysis_.levels[static_cast<std::size_t>(analysis_.levels[0].source)];
        const bool known = position && source.output_known && *position < source.output_names.size();
        if (filled || !known || analysis_.has_sequence_function || analysis_.has_session_function) return gather();
        if (auto routed = select_to_one_key(source, *position)) return std::move(*routed);
        try {
            return select_on_each_shard(source, *position);
        } catch (const NotOnEachShard&) {
            return gather();
        }
    }

    // The query does not take the shard key from a table that is sharded alike, row by row.
    struct NotOnEachShard {};
    [[noreturn]] static void refuse_select() { throw NotOnEachShard{}; }

    std::optional<Statement> select_to_one_key(const Level& source, std::size_t position) {
        if (!source.operands.empty() || !source.output[position]) return std::nullopt;
        const auto family = shardmap::key_family(key_column().type);
        const auto value = family ? context_.key_value_of(*source.output[position], *family) : std::nullopt;
        if (!value) return std::nullopt;
        const bool canonical = value->from == ValueRef::From::kParameter ||
                               canonical_key(context_.literal_of(*value), key_column().type, key_column().typmod);
        auto others = prove_route(analysis_, target_);
        if (!canonical || !others || (!others->keys.empty() && others->group != table_.group)) return std::nullopt;
        context_.exact_literals = true;
        keys_.push_back({false, 0, *value});
        return routed(others);
    }

    // Every shard inserts what it selects: right if the key comes from a table whose rows are on the same shard.
    Statement select_on_each_shard(const Level& source, std::size_t position) {
        std::vector<const Level*> parts{&source};
        for (std::size_t i = 0; i < parts.size(); ++i) {
            for (int operand : parts[i]->operands) parts.push_back(&analysis_.levels[static_cast<std::size_t>(operand)]);
            // Without ALL, UNION and its kind compare whole rows, the key among them: equal rows are on one shard.
            if (parts[i]->has_limit || parts[i]->recursive || parts[i]->has_locking) refuse_select();
        }
        if (analysis_.touches_local || analysis_.touches_unknown || analysis_.has_user_volatile) refuse_select();
        for (const Level* part : parts) {
            if (part->operands.empty()) check_part(*part, position);
        }
        Statement statement;
        statement.plan = PlanKind::kScatter;
        statement.reason = "each shard inserts the rows that it selects";
        statement.scatter.emplace();
        statement.scatter->group = table_.group;
        statement.scatter->key_type = key_column().type;
        statement.scatter->merge.visible = returning_columns(node_, analysis_);
        // Where the shards cannot be made to read at one moment, the query is run once.
        statement.route.otherwise = gathering_otherwise();
        return statement;
    }

    void check_part(const Level& part, std::size_t position) {
        const bool grouped = part.has_group_by || part.has_aggregates;
        if (position >= part.output_columns.size() || !part.output_columns[position]) refuse_select();
        const ColumnNode column = *part.output_columns[position];
        if (part.has_windows || part.has_set_returning || part.has_grouping_sets || part.write) refuse_select();
        const bool by_key = std::find(part.group_columns.begin(), part.group_columns.end(), column) != part.group_columns.end();
        if (grouped && !by_key) refuse_select();
        const bool distinct_by_key = std::find(part.distinct_columns.begin(), part.distinct_columns.end(), column) != part.distinct_columns.end();
        if (part.has_distinct && !distinct_by_key) refuse_select();
        // A nullable key column would give NULL keys, and its rows may come from any shard.
        if (analysis_.entries[static_cast<std::size_t>(column.entry)].nullable) refuse_select();
        for (ColumnNode equal : analysis_.equal_columns(column)) {
            const RangeEntry& entry = analysis_.entries[static_cast<std::size_t>(equal.entry)];
            const bool key = entry.kind == RangeEntry::Kind::kTable && entry.table->placement == Placement::kSharded &&
                             entry.table->group == table_.group && entry.table->key == equal.column;
            if (key && same_type(*entry.table) && analysis_.tied_to(equal.entry, target_)) return;
        }
        refuse_select();
    }

    bool same_type(const Table& source) const {
        const auto family = shardmap::key_family(source.columns[static_cast<std::size_t>(source.key)].type);
        return family && family == shardmap::key_family(key_column().type);
    }

    const pg_query::InsertStmt& insert_;
    const pg_query::Node& node_;
    const QueryAnalysis& analysis_;
    StatementText text_;
    PlanContext& context_;
    int target_;
    const Table& table_;
    std::vector<std::size_t> columns_;  ///< the table's column of each value
    std::vector<std::size_t> omitted_;  ///< columns that are added, because their default is a fill
    std::vector<std::string> fills_;
    std::vector<std::int16_t> fill_columns_;
    std::size_t last_fill_ = 0;
    std::size_t last_fill_row_ = static_cast<std::size_t>(-1);
    int last_fill_column_ = -1;
    std::vector<InsertRows::Key> keys_;
    std::string rewritten_;
};

}  // namespace

Statement plan_insert(const pg_query::Node& node, const QueryAnalysis& analysis, StatementText text, PlanContext& context) {
    return InsertPlanner(node, analysis, text, context).plan();
}

}  // namespace pgmosaic::planner
