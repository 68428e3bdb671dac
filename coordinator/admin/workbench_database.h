#pragma once

#include "coordinator/session.h"

/// A database's twin on the workbench: same encoding and locale, owned by pgmosaic. The workbench takes part in no commit:
/// when it cannot be reached, the statement goes on and the twin is made when it is first needed.
namespace pgmosaic::coordinator {

Task<> create_on_workbench(Session& session, std::string name);
Task<> drop_on_workbench(Session& session, std::string name);

}  // namespace pgmosaic::coordinator
