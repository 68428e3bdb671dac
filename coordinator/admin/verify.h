#pragma once

#include "coordinator/admin/answer_rows.h"
#include "coordinator/admin/arguments.h"

namespace pgmosaic::coordinator {

/// mosaic.verify([table]): is every row where its bucket belongs, is a reference table the same everywhere, has a local table rows
/// at home only; and does each standby hold what its primary holds? One row per question: shard, check, table, ok, detail.
/// `ok` is NULL where nothing could be compared.
///
/// Reads tables whole. Writers of a table wait while its standby catches up to a common moment: milliseconds.
/// Errors  42P01 no such table, 0A000 it is none of the database's tables
Task<std::vector<AnswerRow>> verify(Session& session, const Arguments& arguments);

}  // namespace pgmosaic::coordinator
