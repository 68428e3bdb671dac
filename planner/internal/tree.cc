#include "planner/internal/tree.h"

#include <google/protobuf/io/coded_stream.h>
#include <pg_query.h>
#include <pthread.h>

#include <exception>
#include <limits>

namespace pgmosaic::planner {

namespace {

// PostgreSQL gives up at max_stack_depth = 2 MB; what it can run is far below these bounds.
constexpr std::size_t kDepthInPlace = 400;
constexpr std::size_t kTreeDepthMax = 20'000;
constexpr std::size_t kStackPerDepth = 16 * 1024;
constexpr std::size_t kStackBase = 8 * 1024 * 1024;

// libpg_query tells where in PostgreSQL's sources an error was raised, not its SQLSTATE. The scanner and the grammar raise 42601
// but for these.
SqlState code_of(const PgQueryError& error) {
    const std::string_view message = error.message;
    const auto starts = [&](std::string_view prefix) { return message.substr(0, prefix.size()) == prefix; };
    if (starts("invalid byte sequence for encoding")) return SqlState{"22021"};
    if (starts("invalid Unicode escape")) return SqlState{"22025"};
    if (starts("nonstandard use of \\'")) return SqlState{"22P06"};
    if (starts("stack depth limit exceeded")) return SqlState{"54001"};
    if (starts("memory exhausted")) return SqlState{"42601"};
    if (message.find("not yet implemented") != std::string_view::npos) return sqlstate::kFeatureNotSupported;
    if (message.find("are not supported") != std::string_view::npos) return sqlstate::kFeatureNotSupported;
    return sqlstate::kSyntaxError;
}

struct ParseOwner {
    PgQueryProtobufParseResult result;
    explicit ParseOwner(const char* sql) : result(pg_query_parse_protobuf(sql)) {}
    ParseOwner(const ParseOwner&) = delete;
    ParseOwner& operator=(const ParseOwner&) = delete;
    ~ParseOwner() { pg_query_free_protobuf_parse_result(result); }
};

struct DeparseOwner {
    PgQueryDeparseResult result;
    explicit DeparseOwner(PgQueryProtobuf tree) : result(pg_query_deparse_protobuf(tree)) {}
    DeparseOwner(const DeparseOwner&) = delete;
    DeparseOwner& operator=(const DeparseOwner&) = delete;
    ~DeparseOwner() { pg_query_free_deparse_result(result); }
};

std::string write_tree(const pg_query::ParseResult& tree) {
    std::string bytes = tree.SerializeAsString();
    DeparseOwner owner(PgQueryProtobuf{bytes.size(), bytes.data()});
    if (owner.result.error) {
        throw PgError(Error{.message = std::string("statement could not be written: ") + owner.result.error->message});
    }
    return owner.result.query;
}

struct StackJob {
    const std::function<void()>* work;
    std::exception_ptr failure;
};

void* run_job(void* argument) {
    auto* job = static_cast<StackJob*>(argument);
    try {
        (*job->work)();
    } catch (...) {
        job->failure = std::current_exception();
    }
    return nullptr;
}

[[noreturn]] void throw_too_deep() {
    throw PgError(Error{.code = SqlState{"54001"},
                        .message = "stack depth limit exceeded",
                        .detail = "The statement nests expressions too deeply."});
}

}  // namespace

void parse(std::string_view sql, ParsedTree& tree) {
    const std::string text(sql);
    ParseOwner owner(text.c_str());
    if (const PgQueryError* error = owner.result.error) {
        tree.error = Error{.code = code_of(*error), .message = error->message, .position = error->cursorpos};
        return;
    }
    auto* result = google::protobuf::Arena::CreateMessage<pg_query::ParseResult>(&tree.arena);
    const PgQueryProtobuf& bytes = owner.result.parse_tree;
    google::protobuf::io::CodedInputStream input(reinterpret_cast<const std::uint8_t*>(bytes.data),
                                                 static_cast<int>(bytes.len));
    input.SetRecursionLimit(std::numeric_limits<int>::max());
    if (!result->ParseFromCodedStream(&input)) {
        tree.error = Error{.message = "parse tree could not be read"};
        return;
    }
    tree.result = result;
}

std::string deparse(const pg_query::ParseResult& statements) { return write_tree(statements); }

std::string deparse(const pg_query::Node& statement) {
    pg_query::ParseResult tree;
    tree.set_version(150001);
    *tree.add_stmts()->mutable_stmt() = statement;
    return write_tree(tree);
}

std::string deparse(const pg_query::SelectStmt& statement) {
    pg_query::Node node;
    *node.mutable_select_stmt() = statement;
    return deparse(node);
}

std::string deparse_expression(const pg_query::Node& expression) {
    pg_query::SelectStmt select;
    *select.add_target_list()->mutable_res_target()->mutable_val() = expression;
    select.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
    select.set_op(pg_query::SETOP_NONE);
    constexpr std::size_t kPrefix = sizeof("SELECT ") - 1;
    return deparse(select).substr(kPrefix);
}

void walk(const google::protobuf::Message& root, const Visit& visit) {
    if (!visit(root)) return;
    using google::protobuf::FieldDescriptor;
    const auto* reflection = root.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection->ListFields(root, &fields);
    for (const FieldDescriptor* field : fields) {
        if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
        if (!field->is_repeated()) {
            walk(reflection->GetMessage(root, field), visit);
            continue;
        }
        for (int i = 0; i < reflection->FieldSize(root, field); ++i) {
            walk(reflection->GetRepeatedMessage(root, field, i), visit);
        }
    }
}

void walk_mutable(google::protobuf::Message& root, const Change& change) {
    if (!change(root)) return;
    using google::protobuf::FieldDescriptor;
    const auto* reflection = root.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection->ListFields(root, &fields);
    for (const FieldDescriptor* field : fields) {
        if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
        if (!field->is_repeated()) {
            walk_mutable(*reflection->MutableMessage(&root, field), change);
            continue;
        }
        for (int i = 0; i < reflection->FieldSize(root, field); ++i) {
            walk_mutable(*reflection->MutableRepeatedMessage(&root, field, i), change);
        }
    }
}

void with_stack_for(std::size_t depth, const std::function<void()>& work) {
    if (depth <= kDepthInPlace) return work();
    if (depth > kTreeDepthMax) throw_too_deep();
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBase + depth * kStackPerDepth);
    StackJob job{&work, nullptr};
    pthread_t thread{};
    const int failed = pthread_create(&thread, &attributes, run_job, &job);
    pthread_attr_destroy(&attributes);
    if (failed != 0) throw_too_deep();
    pthread_join(thread, nullptr);
    if (job.failure) std::rethrow_exception(job.failure);
}

}  // namespace pgmosaic::planner
