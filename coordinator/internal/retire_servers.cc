#include "coordinator/internal/retire_servers.h"

#include "coordinator/admin/on_core.h"
#include "coordinator/cluster.h"

namespace pgmosaic::coordinator {

namespace {

bool retire_there(Core& core) {
    core.pool().retire();
    core.forget_identities();
    return true;
}

}  // namespace

Task<> retire_servers(Cluster& cluster) {
    for (Core* core : cluster.cores()) co_await on_core<bool>(*core, &retire_there);
}

}  // namespace pgmosaic::coordinator
