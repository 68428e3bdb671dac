#pragma once

#include <string>

#include "base/error.h"
#include "cli/exit_code.h"

namespace pgmosaic::cli {

/// How a daemon that is starting talks to the command that started it: lines through a pipe, or straight to the
/// terminal. Shape of a line: `progress TEXT`, `ready`, or `failed CODE` with the error as JSON behind it.
class Reporter {
   public:
    /// -1: the terminal.
    explicit Reporter(int pipe) : pipe_(pipe) {}
    Reporter(const Reporter&) = delete;
    Reporter& operator=(const Reporter&) = delete;
    ~Reporter() { close_pipe(); }

    void progress(const std::string& line);
    /// The endpoint listens: nobody waits for our words any longer.
    void ready();
    void failed(const Error& error, ExitCode code);

   private:
    void send(const std::string& line);
    void close_pipe();

    int pipe_;
};

/// What the starting command hears.
struct Outcome {
    bool ready = false;
    ExitCode code = ExitCode::kFailed;
};

/// Prints progress and the error to standard error until the daemon is ready, has failed or is gone.
Outcome follow(int pipe, const std::string& log_file);

}  // namespace pgmosaic::cli
