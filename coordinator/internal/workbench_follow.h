#pragma once

#include <string>

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// Brings the workbench's database of that name to the user's types and functions as the session's catalog has them; asks
/// nobody if this core has done so for this version. The database must be there.
Task<> follow_objects(Session& session, std::string database);

/// The OID on the home shard of a type that has this one on the workbench; 0 if it is not known there. Core: one, the caller's.
Oid type_at_home(const std::string& database, Oid type);

}  // namespace pgmosaic::coordinator
