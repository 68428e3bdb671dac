#include "replication/node/binaries.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <vector>

namespace pgmosaic::node {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPrograms[] = {"postgres", "initdb", "pg_basebackup", "pg_rewind"};

/// What `postgres --version` says, or nothing. The shell is not asked: the path may hold anything.
std::string printed_version(const fs::path& directory) {
    const fs::path program = directory / "postgres";
    if (access(program.c_str(), X_OK) != 0) return {};
    std::string quoted = "'";
    for (char c : program.string()) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    // Runs once, before this process has children of its own, so that pclose() finds its status.
    FILE* output = popen((quoted + "' --version 2>/dev/null").c_str(), "re");
    if (output == nullptr) return {};
    char line[256] = {};
    const bool answered = std::fgets(line, sizeof line, output) != nullptr;
    pclose(output);
    return answered ? line : "";
}

std::string number_in(const std::string& printed) {
    const auto digit = std::find_if(printed.begin(), printed.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    const auto end = std::find_if(digit, printed.end(), [](unsigned char c) { return std::isdigit(c) == 0 && c != '.'; });
    return {digit, end};
}

Error missing(std::string message, std::string detail) {
    return Error{.code = sqlstate::kUndefinedFile,
                 .message = std::move(message),
                 .detail = std::move(detail),
                 .hint = "Install Debian's package postgresql-15, or set PGMOSAIC_PG_BIN to the directory of its programs."};
}

std::vector<fs::path> candidates() {
    std::vector<fs::path> found{"/usr/lib/postgresql/" + std::to_string(kPostgresMajor) + "/bin"};
    const char* path = std::getenv("PATH");
    std::istringstream entries(path == nullptr ? "" : path);
    for (std::string entry; std::getline(entries, entry, ':');) {
        std::error_code failure;
        const fs::path program = fs::canonical(fs::path(entry) / "postgres", failure);
        if (!failure) found.push_back(program.parent_path());
    }
    std::error_code failure;
    for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", failure)) {
        found.push_back(version.path() / "bin");
    }
    return found;
}

Result<Binaries> complete(const fs::path& directory, const std::string& printed) {
    for (const char* program : kPrograms) {
        if (access((directory / program).c_str(), X_OK) == 0) continue;
        return missing("PostgreSQL " + number_in(printed) + " in \"" + directory.string() + "\" is incomplete",
                       "It has no program \"" + std::string(program) + "\".");
    }
    return Binaries{.directory = directory.string(), .version = number_in(printed)};
}

}  // namespace

int major_version(const std::string& printed) {
    return printed.find("PostgreSQL") == std::string::npos ? 0 : std::atoi(number_in(printed).c_str());
}

Result<Binaries> find_binaries() {
    const char* given = std::getenv("PGMOSAIC_PG_BIN");
    const bool is_given = given != nullptr && *given != '\0';
    std::string others;
    for (const fs::path& directory : is_given ? std::vector<fs::path>{given} : candidates()) {
        const std::string printed = printed_version(directory);
        const int major = major_version(printed);
        if (major == kPostgresMajor) return complete(directory, printed);
        if (major == 0) continue;
        others += (others.empty() ? "" : ", ") + number_in(printed) + " in \"" + directory.string() + "\"";
    }
    const std::string needed = "PostgreSQL " + std::to_string(kPostgresMajor);
    if (!others.empty()) return missing(needed + " is needed, but there is " + others, "Other major versions are not supported.");
    const std::string where = is_given ? " in \"" + std::string(given) + "\" (PGMOSAIC_PG_BIN)" : " on this machine";
    return missing("cannot find " + needed + where, "");
}

}  // namespace pgmosaic::node
