#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>

namespace pgmosaic {

void open_log(std::string_view level) {
    auto logger = spdlog::stderr_logger_mt("pgmosaic");
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    logger->set_level(spdlog::level::from_str(std::string(level)));
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

void set_log_level(std::string_view level) { spdlog::default_logger()->set_level(spdlog::level::from_str(std::string(level))); }

std::string log_field(std::string_view key, std::string_view value) {
    std::string text(key);
    text += '=';
    if (value.find_first_of(" \"=\n\t") == std::string_view::npos && !value.empty()) {
        text += value;
        return text;
    }
    text += '"';
    for (char c : value) {
        if (c == '"' || c == '\\') text += '\\';
        text += c == '\n' ? ' ' : c;
    }
    text += '"';
    return text;
}

}  // namespace pgmosaic
