#include "coordinator/admin/functions.h"

#include <algorithm>

#include "coordinator/admin/admin.h"
#include "coordinator/admin/distribute.h"
#include "coordinator/admin/operate.h"
#include "coordinator/admin/verify.h"

namespace pgmosaic::coordinator {

namespace {

using Rows = std::vector<AnswerRow>;

const Rows kVoidRow{{std::string()}};

Task<Rows> distribute(Session& session, const Arguments& arguments) {
    co_await create_distributed_table(session, arguments);
    co_return kVoidRow;
}

Task<Rows> reference(Session& session, const Arguments& arguments) {
    co_await create_reference_table(session, arguments);
    co_return kVoidRow;
}

Task<Rows> distribute_function(Session& session, const Arguments& arguments) {
    co_await create_distributed_function(session, arguments);
    co_return kVoidRow;
}

Task<Rows> undistribute(Session& session, const Arguments& arguments) {
    co_await undistribute_table(session, arguments);
    co_return kVoidRow;
}

Task<Rows> fail_over(Session& session, const Arguments& arguments) {
    co_await change_primary(session, arguments.at(0), session.core().cluster().failover);
    co_return kVoidRow;
}

Task<Rows> switch_over(Session& session, const Arguments& arguments) {
    co_await change_primary(session, arguments.at(0), session.core().cluster().switchover);
    co_return kVoidRow;
}

Task<Rows> rebuild_standby(Session& session, const Arguments& arguments) {
    co_await change_standby(session, arguments.at(0), session.core().cluster().rebuild_standby);
    co_return kVoidRow;
}

Task<Rows> remove_standby(Session& session, const Arguments& arguments) {
    co_await change_standby(session, arguments.at(0), session.core().cluster().remove_standby);
    co_return kVoidRow;
}

Task<Rows> add_standby(Session& session, const Arguments& arguments) {
    co_await change_standby(session, arguments.at(0), session.core().cluster().add_standby);
    co_return kVoidRow;
}

Task<Rows> pause_failover(Session& session, const Arguments&) {
    set_automatic_failover(session, false);
    co_return kVoidRow;
}

Task<Rows> resume_failover(Session& session, const Arguments&) {
    set_automatic_failover(session, true);
    co_return kVoidRow;
}

std::vector<AnswerColumn> columns_of_commands() { return {{"shard_name", kTextType}, {"success", kBoolType}, {"result", kTextType}}; }

std::vector<AnswerColumn> columns_of_verify() {
    return {{"shard", kTextType}, {"check", kTextType}, {"table", kTextType}, {"ok", kBoolType}, {"detail", kTextType}};
}

// Parameter names are Citus's where the function is.
const AdminFunction kFunctions[] = {
    {"create_distributed_table", {"table_name", "distribution_column", "colocate_with"}, 2, kVoidType, false, distribute},
    {"create_reference_table", {"table_name"}, 1, kVoidType, false, reference},
    {"create_distributed_function", {"function_name", "distribution_arg_name", "colocate_with"}, 1, kVoidType, false, distribute_function},
    {"undistribute_table", {"table_name"}, 1, kVoidType, false, undistribute},
    {"bucket_of", {"table_name", "value"}, 2, kIntegerType, false, bucket_of},
    {"shard_of", {"table_name", "value"}, 2, kTextType, false, shard_of},
    {"run_command_on_shards", {"command"}, 1, kVoidType, true, run_command_on_shards, columns_of_commands},
    {"failover", {"shard"}, 1, kVoidType, true, fail_over},
    {"switchover", {"shard"}, 1, kVoidType, true, switch_over},
    {"rebuild_standby", {"node"}, 1, kVoidType, true, rebuild_standby},
    {"remove_standby", {"node"}, 1, kVoidType, true, remove_standby},
    {"add_standby", {"shard"}, 1, kVoidType, true, add_standby},
    {"verify", {"table_name"}, 0, kVoidType, true, verify, columns_of_verify},
    {"pause", {}, 0, kVoidType, true, pause_failover},
    {"resume", {}, 0, kVoidType, true, resume_failover},
    {"isolate_tenant_to_new_shard", {"table_name", "tenant_id", "cascade_option"}, 2},
    {"citus_rebalance_start", {"rebalance_strategy", "drain_only", "shard_transfer_mode"}, 0},
    {"citus_rebalance_status", {"raw"}, 0},
    {"citus_rebalance_wait", {}, 0},
    {"citus_rebalance_stop", {}, 0},
    {"move_buckets", {"table_name", "first", "last", "shard"}, 0},
    {"restore_point", {"name"}, 1},
};

/// The contract says `table`, `column` and so on, Citus says `table_name`: both names are taken.
planner::AdminCall with_long_names(planner::AdminCall call) {
    constexpr std::string_view kShort[][2] = {{"table", "table_name"}, {"relation", "table_name"}, {"column", "distribution_column"},
                                              {"function", "function_name"}, {"arg", "distribution_arg_name"}};
    for (planner::AdminCall::Argument& argument : call.arguments) {
        for (const auto& pair : kShort) {
            if (argument.name == pair[0]) argument.name = pair[1];
        }
    }
    return call;
}

}  // namespace

const AdminFunction* find_admin_function(std::string_view name) {
    const auto* found = std::find_if(std::begin(kFunctions), std::end(kFunctions), [&](const AdminFunction& f) { return f.name == name; });
    return found == std::end(kFunctions) ? nullptr : found;
}

std::vector<AnswerColumn> columns_of(const AdminFunction& function, const planner::AdminCall& call) {
    if (function.columns != nullptr) return function.columns();
    return {{call.column_name.empty() ? std::string(function.name) : call.column_name, function.result}};
}

Task<> require_superuser(Session& session, std::string what) {
    const auto answer = co_await session.query_shard(session.home(),
                                                     "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user", false);
    session.release_statement_leases();
    if (answer.scalar() == "t") co_return;
    throw PgError(Error{.code = sqlstate::kInsufficientPrivilege,
                        .message = "permission denied for function " + what,
                        .hint = "Only a superuser may call it."});
}

Task<std::vector<AnswerRow>> call_admin_function(Session& session, const planner::AdminCall& call, const Request& request) {
    const AdminFunction* function = find_admin_function(call.function);
    if (function == nullptr) {
        throw PgError(Error{.code = sqlstate::kUndefinedFunction, .message = "function " + call.function + " does not exist"});
    }
    if (function->run == nullptr) {
        throw PgError(refusal("function " + call.function + " is not available in this version"));
    }
    if (function->superuser) co_await require_superuser(session, call.function);
    const Arguments arguments(with_long_names(call), request, function->parameters, function->required);
    co_return co_await function->run(session, arguments);
}

Task<> run_admin_call(Session& session, const planner::AdminCall& call, const Request& request) {
    co_await call_admin_function(session, call, request);
}

}  // namespace pgmosaic::coordinator
