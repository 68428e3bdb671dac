#include "cli/report.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string_view>

namespace pgmosaic::cli {

namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view name) {
    return json::value_to<std::string>(object.at(name));
}

ExitCode read_failure(const std::string& text) {
    const json::value parsed = json::parse(text);
    const json::object& object = parsed.as_object();
    print_error(Error{.message = text_of(object, "message"), .detail = text_of(object, "detail"), .hint = text_of(object, "hint")});
    return static_cast<ExitCode>(object.at("exit").to_number<int>());
}

}  // namespace

void Reporter::progress(const std::string& line) {
    if (pipe_ < 0) std::cerr << line << '\n';
    send("progress " + line);
}

void Reporter::ready() {
    send("ready");
    close_pipe();
}

void Reporter::failed(const Error& error, ExitCode code) {
    if (pipe_ < 0) print_error(error);
    const json::object object{{"message", error.message}, {"detail", error.detail}, {"hint", error.hint},
                              {"exit", static_cast<int>(code)}};
    send("failed " + json::serialize(object));
    close_pipe();
}

void Reporter::send(const std::string& line) {
    const std::string whole = line + "\n";
    // The reader may have been killed; the daemon goes on without it (SIGPIPE is ignored).
    if (pipe_ >= 0 && write(pipe_, whole.data(), whole.size()) < 0) close_pipe();
}

void Reporter::close_pipe() {
    if (pipe_ >= 0) close(pipe_);
    pipe_ = -1;
}

Outcome follow(int pipe, const std::string& log_file) {
    const std::unique_ptr<FILE, int (*)(FILE*)> stream(fdopen(pipe, "r"), fclose);
    std::string line;
    for (int c = std::fgetc(stream.get()); c != EOF; c = std::fgetc(stream.get())) {
        if (c != '\n') {
            line += static_cast<char>(c);
            continue;
        }
        if (line == "ready") return {.ready = true, .code = ExitCode::kDone};
        if (line.starts_with("failed ")) return {.code = read_failure(line.substr(7))};
        if (line.starts_with("progress ")) std::cerr << line.substr(9) << std::endl;
        line.clear();
    }
    return {.code = fail(Error{.message = "the daemon ended before it was ready", .hint = "Its log is \"" + log_file + "\"."})};
}

}  // namespace pgmosaic::cli
