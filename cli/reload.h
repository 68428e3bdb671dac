#pragma once

#include "base/settings.h"
#include "cli/endpoint.h"

namespace pgmosaic::cli {

/// SIGHUP: reads the configuration file again, gives the endpoint what may change while it runs, and says in the log what else
/// has changed and waits for a restart. A file with errors changes nothing. `config` becomes what holds now.
void reload_config(Config& config, Endpoint& endpoint);

/// Settings that differ and cannot be taken over by a running process, by name.
std::vector<std::string> needing_restart(const Config& before, const Config& after);

}  // namespace pgmosaic::cli
