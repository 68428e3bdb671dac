#pragma once

#include <boost/asio/co_spawn.hpp>

#include "coordinator/core.h"

namespace pgmosaic::coordinator {

/// Runs a function on another core, where it may look at that core's sessions and pools, and brings back what it made.
template <class Result>
Task<Result> call_there(Core& core, Result (*function)(Core&)) {
    co_return function(core);
}

template <class Result>
Task<Result> on_core(Core& core, Result (*function)(Core&)) {
    co_return co_await asio::co_spawn(core.executor(), call_there<Result>(core, function), asio::use_awaitable);
}

}  // namespace pgmosaic::coordinator
