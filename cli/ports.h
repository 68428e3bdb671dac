#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "base/error.h"

namespace pgmosaic::cli {

/// Ports of 127.0.0.1 that are ours until somebody listens on them.
///
/// A port is kept by a socket that is bound but does not listen: another `up` that looks for free ports at the same
/// time passes over it, while PostgreSQL and the endpoint, which set SO_REUSEADDR, may listen there.
class Ports {
   public:
    Ports() = default;
    Ports(const Ports&) = delete;
    Ports& operator=(const Ports&) = delete;
    ~Ports();

    /// False: somebody else has it.
    bool keep(std::uint16_t port);
    /// The first free one from `first` on. Errors: 55006 if there is none.
    Result<std::uint16_t> keep_next(std::uint16_t first);
    void release(std::uint16_t port);

   private:
    std::map<std::uint16_t, int> kept_;
};

/// Does anybody listen there?
bool is_port_used(std::uint16_t port);

}  // namespace pgmosaic::cli
