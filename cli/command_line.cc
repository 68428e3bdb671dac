#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <deque>
#include <iostream>
#include <memory>
#include <sstream>

#include "base/settings.h"
#include "cli/client.h"
#include "cli/internal/suggest.h"
#include "cli/route.h"
#include "cli/serve.h"
#include "cli/status.h"
#include "cli/up.h"
#include "cli/verbs.h"

#ifndef PGM_VERSION
#define PGM_VERSION "unknown"
#endif

namespace pgmosaic::cli {

namespace {

const std::map<std::string, Format> kFormats{{"table", Format::kTable}, {"wide", Format::kWide}, {"json", Format::kJson},
                                             {"yaml", Format::kYaml}, {"csv", Format::kCsv}};

std::vector<std::string> split_words(std::string_view text) {
    std::istringstream stream{std::string(text)};
    return {std::istream_iterator<std::string>(stream), std::istream_iterator<std::string>()};
}

/// All verbs with their options; the one that was typed leaves its action.
class CommandLine {
   public:
    CommandLine();
    ExitCode run(int argument_count, char** arguments);

   private:
    CLI::App* add(const std::string& words, const std::string& help, std::function<ExitCode()> action);
    void add_life();
    void add_configuration();
    void add_reading();
    void add_verb(const Verb& verb);
    void add_format(CLI::App* command, Format& format);
    void add_changing(CLI::App* command, bool& dry_run);
    void check_groups();
    std::string directory() const { return cluster_of(directory_.empty() ? cluster_ : directory_); }
    std::string config_file() const;
    ExitCode usage_error(const CLI::ParseError& error, int argument_count, char** arguments);

    CLI::App app_{"Many PostgreSQL servers that look like one database.", "pgmosaic"};
    std::function<ExitCode()> action_;
    std::string cluster_;
    std::string directory_;
    std::string file_;
    UpOptions up_;
    StatusOptions status_;
    RouteOptions route_;
    Format format_ = Format::kTable;
    bool destroy_ = false;
    bool dry_run_ = false;
    bool yes_ = false;
    bool online_ = false;
    bool markdown_ = false;
    bool follow_ = false;
    std::deque<VerbInput> inputs_;  // stays where it is while CLI11 points into it
};

CommandLine::CommandLine() {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.set_help_flag("-h,--help", "Prints this and ends");
    app_.option_defaults()->always_capture_default(false);
    app_.add_option("--cluster", cluster_, "Directory made by `up`, or a URI (default: $PGMOSAIC_CLUSTER, then ./mosaic)")
        ->type_name("DIR|URI");
    app_.set_version_flag("--version", "pgmosaic " PGM_VERSION);
    add_life();
    add_configuration();
    add_reading();
    for (const Verb& verb : verbs()) add_verb(verb);
    check_groups();
}

/// `table distribute` is a command within a command; the outer one alone is incomplete.
CLI::App* CommandLine::add(const std::string& words, const std::string& help, std::function<ExitCode()> action) {
    CLI::App* parent = &app_;
    std::vector<std::string> parts = split_words(words);
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        const std::vector<CLI::App*> known =
            parent->get_subcommands([&](CLI::App* each) { return each->get_name() == parts[i]; });
        parent = known.empty() ? parent->add_subcommand(parts[i]) : known.front();
    }
    CLI::App* command = parent->add_subcommand(parts.back(), help);
    command->callback([this, action = std::move(action)] { action_ = action; });
    return command;
}

void CommandLine::check_groups() {
    for (CLI::App* group : app_.get_subcommands({})) {
        const std::vector<CLI::App*> inner = group->get_subcommands({});
        if (inner.empty()) continue;
        group->require_subcommand(1);
        std::string names;
        for (const CLI::App* command : inner) names += (names.empty() ? "" : ", ") + command->get_name();
        group->description(names);
    }
}

void CommandLine::add_format(CLI::App* command, Format& format) {
    command->add_option("-o,--output", format, "table, wide, json, yaml or csv")
        ->type_name("FORMAT")
        ->transform(CLI::CheckedTransformer(kFormats).description(""));
}

void CommandLine::add_changing(CLI::App* command, bool& dry_run) {
    command->add_flag("--dry-run", dry_run, "Says what it would do");
    command->add_flag("--yes", yes_, "Does not ask");
}

void CommandLine::add_life() {
    CLI::App* up = add("up", "Makes a cluster in DIR, or starts what is there", [this] {
        up_.directory = directory();
        return cli::up(up_);
    });
    up->add_option("DIR", directory_, "Where everything lives (default: ./mosaic)");
    up->add_option("--shards", up_.shards, "How many shards (default: 4)")->type_name("N")->check(CLI::Range(1, 256));
    up->add_flag("--no-standby", up_.no_standby, "Primaries only");
    up->add_option("--port", up_.port, "Port of the endpoint (default: the next free one from 6432 on)")
        ->type_name("N")->check(CLI::Range(1, 65535));
    up->add_option("--console", up_.console, "Port of health checks and metrics (default: none)")->type_name("N")->check(CLI::Range(1, 65535));
    up->add_option("--sample", up_.sample, "Fills it with made-up data: shop")->type_name("NAME")->check(CLI::IsMember({"shop"}));
    up->add_flag("--foreground", up_.foreground, "Stays here until interrupted");
    up->add_option("--user", up_.user, "Whom the servers run as, when root starts them (default: postgres)");

    CLI::App* down = add("down", "Stops everything in DIR", [this] { return cli::down(directory(), destroy_, dry_run_); });
    down->add_option("DIR", directory_, "The cluster's directory (default: ./mosaic)");
    down->add_flag("--destroy", destroy_, "Removes DIR, too");
    add_changing(down, dry_run_);

    CLI::App* serve = add("serve", "The endpoint on servers that already exist", [this] { return cli::serve(file_); });
    serve->add_option("-c,--config", file_, "Configuration")->type_name("FILE")->required();
    CLI::App* agent = add("agent", "Drives the PostgreSQL of this host",
                          [] { return fail(refusal("\"pgmosaic agent\" is not available in this version")); });
    agent->add_option("-c,--config", file_, "Configuration")->type_name("FILE");
}

std::string CommandLine::config_file() const {
    if (!file_.empty()) return file_;
    return cluster_.empty() ? "pgmosaic.yaml" : cluster_ + "/pgmosaic.yaml";
}

void CommandLine::add_configuration() {
    CLI::App* init = add("init", "Writes a commented configuration", [this] {
        if (!markdown_) return cli::init(file_);
        std::cout << settings_markdown();
        return ExitCode::kDone;
    });
    init->add_option("FILE", file_, "Where to (default: standard output)");
    init->add_flag("--markdown", markdown_, "Prints docs/settings.md instead");
    CLI::App* check = add("check", "Names all errors of a configuration", [this] { return cli::check(config_file(), online_); });
    check->add_option("FILE", file_, "Configuration (default: pgmosaic.yaml)");
    check->add_flag("--online", online_, "Asks the servers, too");
}

void CommandLine::add_reading() {
    CLI::App* status = add("status", "What stands where, and how it is", [this] { return cli::status(cluster_of(cluster_), status_); });
    add_format(status, status_.format);
    status->add_flag("--check", status_.check, "Exit code 8 if degraded, 9 if down");
    status->add_option_function<std::string>("--watch", [this](const std::string& seconds) {
        status_.watch_seconds = seconds.empty() ? 2 : std::strtod(seconds.c_str(), nullptr);
        if (status_.watch_seconds < 0.1) throw CLI::ValidationError("--watch", "a number of seconds, 0.1 or more");
    }, "Again every SEC seconds (default: 2)")->type_name("SEC")->expected(0, 1);

    CLI::App* route = add("route", "Where the statements of a file would go, and why", [this] { return cli::route(route_, cluster_of(cluster_)); });
    route->add_option("FILE", route_.file, "SQL, or a log of PostgreSQL; - is standard input")->required();
    route->add_option("--key", route_.keys, "As if the table were sharded by the column (more than once)")->type_name("TABLE=COLUMN");
    route->add_option("--reference", route_.references, "As if it were a reference table (more than once)")->type_name("TABLE");
    route->footer("Example: pgmosaic route queries.sql --key orders=customer_id --reference products");
    add_format(route, route_.format);

    CLI::App* version = add("version", "The version of this program", [this] {
        node::SqlRows rows{.columns = {"version", "postgresql"}, .types = {25, 23}, .rows = {{PGM_VERSION, "15"}}};
        std::cout << (format_ == Format::kTable ? "pgmosaic " PGM_VERSION " for PostgreSQL 15\n" : format_rows(rows, format_));
        return ExitCode::kDone;
    });
    add_format(version, format_);
    CLI::App* completion = add("completion", "A script that completes commands in a shell", [this] {
        std::cout << completion_script(file_);
        return ExitCode::kDone;
    });
    completion->add_option("SHELL", file_, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

void CommandLine::add_verb(const Verb& verb) {
    VerbInput& input = inputs_.emplace_back();
    std::string help(verb.help);
    if (verb.kind == VerbKind::kNotYet) help += " (not yet)";
    CLI::App* command = add(std::string(verb.words), help, [this, &verb, &input] {
        if (verb.words == "events" && follow_) return follow_events(input, cluster_of(cluster_));
        return run_verb(verb, input, cluster_of(cluster_));
    });
    if (!verb.example.empty()) command->footer("Example: " + std::string(verb.example));
    if (verb.kind == VerbKind::kNotYet) return command->allow_extras(), void();
    for (const std::string& word : split_words(verb.arguments)) {
        if (word.find("--") == 0 || word == "COL" || word == "OTHER") continue;
        CLI::Option* option = command->add_option(word, input.arguments, "")->expected(1);
        if (word.front() != '[') option->required();
    }
    if (verb.arguments.find("--by") != std::string_view::npos) {
        command->add_option("--by", input.by, "The shard key")->type_name("COL")->required();
        command->add_option("--with", input.with, "Together with this table, or `none`")->type_name("OTHER");
    }
    if (verb.words == "events") command->add_flag("-f,--follow", follow_, "Goes on as they happen");
    if (verb.kind == VerbKind::kReads) add_format(command, input.format);
    if (verb.kind == VerbKind::kChanges) add_changing(command, input.dry_run);
}

ExitCode CommandLine::run(int argument_count, char** arguments) {
    try {
        app_.parse(argument_count, arguments);
    } catch (const CLI::ParseError& error) {
        return usage_error(error, argument_count, arguments);
    }
    try {
        return action_();
    } catch (const PgError& error) {
        return fail(error.error());
    }
}

ExitCode CommandLine::usage_error(const CLI::ParseError& error, int argument_count, char** arguments) {
    if (error.get_exit_code() == 0) {  // --help, --version
        app_.exit(error, std::cout, std::cerr);
        return ExitCode::kDone;
    }
    std::string hint = "`pgmosaic --help` names all commands.";
    std::vector<std::string> names;
    for (const CLI::App* command : app_.get_subcommands({})) names.push_back(command->get_name());
    for (int i = 1; i < argument_count; ++i) {
        const std::string word = arguments[i];
        if (word.empty() || word[0] == '-') continue;
        const bool known = std::find(names.begin(), names.end(), word) != names.end();
        if (const std::string guess = nearest(word, names); !known && !guess.empty()) hint = "Did you mean " + guess + "?";
        if (known) hint = "`pgmosaic " + word + " --help` says how.";
        break;
    }
    std::string message = error.what();
    while (!message.empty() && (message.back() == '\n' || message.back() == '.')) message.pop_back();
    print_error(Error{.message = message, .hint = hint});
    return ExitCode::kUsage;
}

}  // namespace

ExitCode run_command_line(int argument_count, char** arguments) {
    CommandLine line;
    return line.run(argument_count, arguments);
}

std::string completion_script(const std::string& shell) {
    std::map<std::string, std::string> inner;
    for (const char* word : {"up", "down", "serve", "agent", "init", "check", "status", "route", "version", "completion"}) inner[word];
    for (const Verb& verb : verbs()) {
        const std::vector<std::string> words = split_words(verb.words);
        std::string& list = inner[words[0]];
        if (words.size() > 1) list += (list.empty() ? "" : " ") + words[1];
    }
    std::string all;
    std::string cases;
    for (const auto& [word, list] : inner) {
        all += (all.empty() ? "" : " ") + word;
        if (list.empty()) continue;
        cases += shell == "fish" ? "complete -c pgmosaic -f -n '__fish_seen_subcommand_from " + word + "' -a '" + list + "'\n"
                                 : "        " + word + ") words='" + list + "' ;;\n";
    }
    if (shell == "fish") return "complete -c pgmosaic -f -n __fish_use_subcommand -a '" + all + "'\n" + cases;
    const std::string bash = "_pgmosaic() {\n    local words=''\n    case ${COMP_WORDS[COMP_CWORD-1]} in\n        pgmosaic | */pgmosaic) words='" +
                             all + "' ;;\n" + cases +
                             "    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
                             "complete -o default -F _pgmosaic pgmosaic\n";
    return shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" + bash : bash;
}

}  // namespace pgmosaic::cli
