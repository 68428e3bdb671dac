#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace pgmosaic {

namespace asio = boost::asio;

/// A coroutine: awaited on the spot, or spawned into a TaskGroup.
template <class T = void>
using Task = asio::awaitable<T>;

}  // namespace pgmosaic
