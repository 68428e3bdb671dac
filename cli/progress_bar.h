#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/deadline.h"

namespace pgmosaic::cli {

/// How far long work has come: done/total, rate and time left, on one line that is written over. Without a terminal
/// on standard error, one line per task at its end.
class ProgressBar {
   public:
    ProgressBar();
    void show(std::string_view task, std::uint64_t done, std::uint64_t total);
    void finish();

   private:
    void end_task();

    bool on_terminal_;
    std::string task_;
    std::uint64_t done_ = 0;
    Clock::time_point begin_{};
};

}  // namespace pgmosaic::cli
