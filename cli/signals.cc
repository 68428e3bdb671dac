#include "cli/signals.h"

#include <pthread.h>
#include <signal.h>

namespace pgmosaic::cli {

namespace {

sigset_t awaited() {
    sigset_t set;
    sigemptyset(&set);
    for (int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) sigaddset(&set, number);
    return set;
}

}  // namespace

Signals::Signals(std::function<void(int)> on_signal) : on_signal_(std::move(on_signal)) {
    signal(SIGPIPE, SIG_IGN);
    const sigset_t set = awaited();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    waiter_ = std::thread([this, set] {
        int number = 0;
        while (sigwait(&set, &number) == 0 && number != SIGUSR1) on_signal_(number);
    });
}

Signals::~Signals() {
    pthread_kill(waiter_.native_handle(), SIGUSR1);  // ours: ends the wait
    waiter_.join();
}

}  // namespace pgmosaic::cli
