#pragma once

#include <boost/json.hpp>

#include "coordinator/admin/answer_rows.h"

namespace pgmosaic::coordinator {

struct ViewColumn {
    std::string_view name;
    std::string_view type;  ///< its name in pg_catalog
};

/// One of our views: its columns, and who finds its rows. Declared once, in views.cc.
struct View {
    std::string_view name;
    std::vector<ViewColumn> columns;
    /// Rows as JSON objects whose members are named as the columns are; a member that is missing is NULL.
    Task<boost::json::array> (*rows)(Session& session) = nullptr;
};

const std::vector<View>& views();
/// nullptr: there is none of that name.
const View* find_view(std::string_view name);

/// What a client may put in FROM instead of the view: its rows of this moment, with their types.
Task<std::string> view_sql(Session& session, const View& view);

/// `SHOW POOLS` and the like: the view that it shows. nullptr: there is none.
const View* find_shown_view(std::string_view word);
std::vector<AnswerColumn> shown_columns(const View& view);
std::vector<AnswerRow> shown_rows(const View& view, const boost::json::array& rows);

}  // namespace pgmosaic::coordinator
