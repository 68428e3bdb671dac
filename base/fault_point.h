#pragma once

namespace pgmosaic {

/// Ends the process with SIGKILL if the environment names this step (PGMOSAIC_FAULT=commit:after_prepare), or stops it there
/// once until somebody sends SIGCONT (PGMOSAIC_FAULT=stop@commit:after_prepare): fault tests break an exchange exactly there.
/// Costs one load otherwise.
void fault_point(const char* step);

}  // namespace pgmosaic
