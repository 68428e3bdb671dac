#pragma once

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "base/error.h"

namespace pgmosaic::replication {

/// For a catch block: what was thrown, as a value. A cancellation passes on; what is left is our own trouble (no descriptors, no
/// memory) or bytes that are no protocol, and must not end the supervision of a shard.
inline Error error_of_current_exception() {
    try {
        throw;
    } catch (const PgError& error) {
        return error.error();
    } catch (const boost::system::system_error& error) {
        if (error.code() == boost::asio::error::operation_aborted) throw;
        return Error{.code = sqlstate::kIoError, .message = error.what()};
    } catch (const std::exception& error) {
        return Error{.code = sqlstate::kInternalError, .message = error.what()};
    }
}

}  // namespace pgmosaic::replication
