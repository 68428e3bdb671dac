#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/error.h"
#include "cli/cluster_file.h"

namespace pgmosaic::cli {

/// The account that the servers and the daemon run as.
struct Account {
    uid_t user = 0;
    gid_t group = 0;
    std::string name{};
};

/// Whose directory it is to be: as root, the named account; else ourselves. Errors: 42704 no such account.
Result<Account> server_account(const std::string& name);

/// What a directory holds.
enum class Holds { kNothing, kHalfMade, kCluster, kSomethingElse };
Holds look_into(const Layout& layout);

/// An absolute path without `..`.
Layout layout_of(const std::string& directory);

/// Makes DIR or finds that it is ours. Nothing is touched unless it is. Errors: 42501 (refused), 58030
Result<void> claim_directory(const Layout& layout, const Account& account);

/// Gives up root's rights for good and for every thread to come. Call it before there are any.
Result<void> become(const Account& account);
/// The first directory on the way to DIR that this process may not enter. Errors: 42501 naming it
Result<void> check_reachable(const Layout& layout);

/// Says that a daemon works for this directory: a lock that ends with the process, and its pid for `down`.
class DaemonLock {
   public:
    DaemonLock() = default;
    DaemonLock(DaemonLock&& other) noexcept;
    DaemonLock& operator=(DaemonLock&& other) noexcept;
    DaemonLock(const DaemonLock&) = delete;
    DaemonLock& operator=(const DaemonLock&) = delete;
    ~DaemonLock();

    /// Errors: 55006 another process holds it
    static Result<DaemonLock> take(const Layout& layout);

   private:
    explicit DaemonLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_ = -1;
};

/// The daemon that holds the lock now. A pid in the file proves nothing; the lock does.
std::optional<pid_t> running_daemon(const Layout& layout);

}  // namespace pgmosaic::cli
