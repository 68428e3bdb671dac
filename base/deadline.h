#pragma once

#include <chrono>

namespace pgmosaic {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// A point in time after which nobody waits any longer; handed down, never renewed on the way.
struct Deadline {
    Clock::time_point at = Clock::time_point::max();

    static Deadline after(Clock::duration length) { return {Clock::now() + length}; }
    static Deadline never() { return {}; }
    bool passed() const { return Clock::now() >= at; }
    Clock::duration left() const { return at == Clock::time_point::max() ? Clock::duration::max() : at - Clock::now(); }
};

}  // namespace pgmosaic
