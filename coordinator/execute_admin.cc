#include "coordinator/admin/functions.h"
#include "coordinator/admin/sizes.h"
#include "coordinator/admin/statistics.h"
#include "coordinator/admin/views.h"
#include "coordinator/execute.h"

namespace pgmosaic::coordinator {

namespace {

const View& shown_view(const planner::Statement& statement) {
    const View* view = find_shown_view(statement.name);
    if (view != nullptr) return *view;
    throw PgError(Error{.code = sqlstate::kUndefinedObject,
                        .message = "unrecognized configuration parameter \"" + statement.name + "\""});
}

const AdminFunction& called_function(const planner::AdminCall& call) {
    const AdminFunction* function = find_admin_function(call.function);
    if (function != nullptr) return *function;
    throw PgError(Error{.code = sqlstate::kUndefinedFunction, .message = "function " + call.function + " does not exist"});
}

}  // namespace

Task<> execute_admin(Session& session, const Request& request) {
    const planner::Statement& statement = request.statement;
    if (statement.admin) {
        const std::vector<AnswerColumn> columns = columns_of(called_function(*statement.admin), *statement.admin);
        const std::vector<AnswerRow> rows = co_await call_admin_function(session, *statement.admin, request);
        write_answer(session, request, columns, rows, "SELECT " + std::to_string(rows.size()));
        co_return;
    }
    const View& view = shown_view(statement);
    const boost::json::array rows = co_await view.rows(session);
    write_answer(session, request, shown_columns(view), shown_rows(view, rows), "SHOW");
}

std::shared_ptr<const Description> admin_description(const planner::Statement& statement) {
    if (statement.admin) return description_of(columns_of(called_function(*statement.admin), *statement.admin), statement.parameters);
    return description_of(shown_columns(shown_view(statement)), 0);
}

Task<std::string> admin_view_sql(Session& session, const Request& request) {
    std::map<std::string, std::string> subselects;
    for (const std::string& name : request.statement.admin_views) {
        if (name == planner::kSizesElsewhere) {
            subselects[name] = co_await sizes_elsewhere(session);
            continue;
        }
        if (const StatisticsView* statistics = find_statistics_view(name)) {
            subselects[name] = co_await statistics_sql(session, *statistics);
            continue;
        }
        const View* view = find_view(name);
        // A name that is none of ours stays, so that the server says what it always says.
        if (view != nullptr) subselects[name] = co_await view_sql(session, *view);
    }
    co_return planner::replace_admin_views(request.sql, subselects);
}

}  // namespace pgmosaic::coordinator
