#include "base/fault_point.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <unistd.h>

namespace pgmosaic {

namespace {

struct WantedFault {
    bool stop = false;
    std::string_view step;
};

WantedFault wanted_fault() {
    const char* const text = std::getenv("PGMOSAIC_FAULT");
    if (text == nullptr) return {};
    constexpr std::string_view kStop = "stop@";
    const std::string_view wanted = text;
    if (!wanted.starts_with(kStop)) return {.stop = false, .step = wanted};
    return {.stop = true, .step = wanted.substr(kStop.size())};
}

}  // namespace

void fault_point(const char* step) {
    static const WantedFault wanted = wanted_fault();
    if (wanted.step.empty() || wanted.step != step) return;
    static std::atomic<bool> stopped{false};
    if (!wanted.stop) ::kill(::getpid(), SIGKILL);
    // To this thread: a signal to the process may be another thread's to take, while this one goes on.
    else if (!stopped.exchange(true)) ::raise(SIGSTOP);
}

}  // namespace pgmosaic
