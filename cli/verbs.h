#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/exit_code.h"
#include "cli/output.h"

namespace pgmosaic::cli {

/// What was typed behind a verb.
struct VerbInput {
    std::vector<std::string> arguments{};
    std::string by{};
    std::string with{};
    Format format = Format::kTable;
    bool dry_run = false;
};

enum class VerbKind { kReads, kChanges, kNotYet };

/// A verb that does no more than ask the endpoint; declared once, in the table of verbs.cc.
struct Verb {
    std::string_view words{};      ///< "table distribute"
    std::string_view arguments{};  ///< "TABLE"; optional ones in brackets; "--by COL" and "--with OTHER" are options
    VerbKind kind = VerbKind::kNotYet;
    std::string_view help{};
    std::string_view example{};
    std::string (*sql)(const VerbInput& input) = nullptr;
    std::string_view object{};     ///< what the argument names, for "not found": no row is then an error
    std::string_view verdict{};    ///< a column that says whether a row is as it should be; NULL: nobody knows
};

std::span<const Verb> verbs();

ExitCode run_verb(const Verb& verb, const VerbInput& input, const std::string& cluster);

/// `events -f`: goes on until it is interrupted.
ExitCode follow_events(const VerbInput& input, const std::string& cluster);

}  // namespace pgmosaic::cli
