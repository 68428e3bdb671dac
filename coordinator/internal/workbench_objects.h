#pragma once

namespace pgmosaic::coordinator {

/// Makes `pg_mosaic.workbench_objects()` in a database of the shards: the statements that make the user's own types, collations,
/// functions, aggregates, operators and casts on a server that has none of them, in an order in which most of them succeed at
/// once. Repeatable, run by a superuser who may write to pg_mosaic.
extern const char* const kWorkbenchObjects;

/// Makes `pg_mosaic.rebuild(statements text[], fingerprint text)` in a database of the workbench: unless the last call had the same
/// fingerprint, all schemas of users go, and the statements are run until none of the rest succeeds (a function whose argument is
/// a table's row does not: there are no tables). Repeatable, run by a superuser.
extern const char* const kWorkbenchRebuild;

}  // namespace pgmosaic::coordinator
