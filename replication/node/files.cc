#include "replication/node/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "replication/node/internal/system_error.h"

namespace pgmosaic::node {

namespace {

constexpr std::size_t kTailBytes = 1500;

/// Owns a descriptor.
class Descriptor {
   public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) close(number_);
    }
    int get() const { return number_; }

   private:
    int number_;
};

Result<void> write_all(int descriptor, const std::string& text, const std::string& path) {
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t part = write(descriptor, text.data() + done, text.size() - done);
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) return system_error("write file", path, errno);
        done += static_cast<std::size_t>(part);
    }
    if (fsync(descriptor) != 0) return system_error("flush file", path, errno);
    return {};
}

Result<void> sync_directory_of(const std::string& path) {
    const std::string parent = std::filesystem::path(path).parent_path();
    const Descriptor directory(open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0 || fsync(directory.get()) != 0) return system_error("flush directory", parent, errno);
    return {};
}

}  // namespace

std::string read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (file) text << file.rdbuf();
    return text.str();
}

Result<void> write_text(const std::string& path, const std::string& text, unsigned mode) {
    const std::string aside = path + ".new";
    {
        const Descriptor file(open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
        if (file.get() < 0) return system_error("create file", aside, errno);
        if (Result<void> written = write_all(file.get(), text, aside); !written) return written;
    }
    return rename_durably(aside, path);
}

Result<void> make_directory(const std::string& path, unsigned mode) {
    if (mkdir(path.c_str(), mode) == 0) return {};
    const int number = errno;
    if (number == EEXIST && std::filesystem::is_directory(path)) return {};
    return system_error("create directory", path, number);
}

Result<void> remove_tree(const std::string& path) {
    std::error_code failure;
    std::filesystem::remove_all(path, failure);
    if (failure) return system_error("remove", path, failure.value());
    return {};
}

Result<void> rename_durably(const std::string& from, const std::string& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) return system_error("rename to", to, errno);
    return sync_directory_of(to);
}

Result<void> sync_file_system(const std::string& path) {
    const Descriptor directory(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (directory.get() < 0 || syncfs(directory.get()) != 0) return system_error("flush the file system of", path, errno);
    return {};
}

std::uint64_t file_size(const std::string& path) {
    struct stat status {};
    return stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

std::string log_tail(const std::string& path, std::uint64_t begin) {
    std::string text = read_text(path);
    text = begin < text.size() ? text.substr(begin) : "";
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (text.size() > kTailBytes) text = text.substr(text.find('\n', text.size() - kTailBytes) + 1);
    return text;
}

}  // namespace pgmosaic::node
