#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "backend/tls.h"
#include "base/deadline.h"
#include "coordinator/access_rules.h"

namespace pgmosaic::coordinator {

/// What SIGHUP may change, checked and loaded. Immutable: a reload publishes another one, which every core takes at its next
/// turn; a login that is under way ends by the old one.
struct Live {
    int clients_max = 10000;
    int clients_per_user_max = 0;      ///< 0: no bound
    int clients_per_database_max = 0;  ///< 0: no bound
    int per_shard_max = 40;
    Clock::duration wait_timeout = 5s;
    std::uint64_t workbench_bytes_max = std::uint64_t{4} << 30;
    bool automatic_failover = true;
    AccessRules access{};
    std::shared_ptr<const backend::TlsContext> tls{};  ///< null: not offered
    bool tls_required = false;                         ///< of clients that come by TCP
    std::map<std::string, std::string> settings_shown{};  ///< Config::shown, for mosaic.settings
};
using LivePointer = std::shared_ptr<const Live>;

}  // namespace pgmosaic::coordinator
