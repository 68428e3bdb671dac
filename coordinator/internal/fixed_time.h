#pragma once

#include <string>
#include <vector>

#include "coordinator/internal/replanned.h"

namespace pgmosaic::coordinator {

/// Puts one moment in the places of all texts: asks where the transaction has begun, else the home shard. Errors: the server's.
Task<> put_times(Session& session, std::vector<std::string>& texts);

/// A statement whose time functions several servers would answer, with their values written into its text and planned anew.
///
/// Lifetime  borrows session and request, which outlive the request() that it makes
/// Errors    the server's that is asked; ConnectionLost
class FixedTime {
   public:
    FixedTime(Session& session, const Request& outer) : session_(session), outer_(outer) {}
    FixedTime(const FixedTime&) = delete;
    FixedTime& operator=(const FixedTime&) = delete;

    /// True if the request's statement needs it.
    static bool is_wanted(const Session& session, const Request& request);
    Task<> read();
    Request request() const { return replanned_.request(outer_); }

   private:
    Session& session_;
    const Request& outer_;
    Replanned replanned_;
};

}  // namespace pgmosaic::coordinator
