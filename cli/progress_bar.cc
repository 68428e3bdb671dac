#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace pgmosaic::cli {

ProgressBar::ProgressBar() : on_terminal_(isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr) {}

void ProgressBar::show(std::string_view task, std::uint64_t done, std::uint64_t total) {
    if (task != task_) {
        end_task();
        task_ = task;
        begin_ = Clock::now();
    }
    done_ = done;
    if (!on_terminal_) return;
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
    const double left = rate > 0 && total > done ? static_cast<double>(total - done) / rate : 0;
    std::cerr << fmt::format("\r\033[K{}: {}/{} rows, {:.0f}/s, {:.0f} s left", task_, done, total, rate, left) << std::flush;
}

void ProgressBar::finish() {
    end_task();
    task_.clear();
}

void ProgressBar::end_task() {
    if (task_.empty()) return;
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    std::cerr << fmt::format("{}{}: {} rows in {:.1f} s\n", on_terminal_ ? "\r\033[K" : "", task_, done_, seconds);
}

}  // namespace pgmosaic::cli
