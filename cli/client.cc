#include "cli/client.h"

#include <cstdlib>

#include "cli/config.h"
#include "cli/directory.h"
#include "cli/endpoint.h"

namespace pgmosaic::cli {

namespace {

constexpr auto kConnectTimeout = 10s;

bool is_uri(const std::string& cluster) {
    return cluster.starts_with("postgres://") || cluster.starts_with("postgresql://");
}

}  // namespace

std::string cluster_of(const std::string& given) {
    if (!given.empty()) return given;
    const char* variable = std::getenv("PGMOSAIC_CLUSTER");
    return variable != nullptr && *variable != '\0' ? variable : "mosaic";
}

Result<node::Sql> connect_cluster(const std::string& cluster) {
    const Deadline deadline = Deadline::after(kConnectTimeout);
    if (is_uri(cluster)) return node::Sql::connect(cluster, deadline);
    const Layout layout = layout_of(cluster);
    if (look_into(layout) != Holds::kCluster) {
        return Error{.code = sqlstate::kConnectionFailure, .message = "there is no cluster in \"" + layout.root + "\"",
                     .hint = "Name one with --cluster DIR or PGMOSAIC_CLUSTER, or make one: pgmosaic up DIR."};
    }
    const ConfigCheck check = check_config_file(layout.config_file());
    if (!check.problems.empty()) {
        return Error{.code = sqlstate::kConfigFileError, .message = "the configuration has errors",
                     .detail = "\n" + render_problems(check, layout.config_file())};
    }
    Result<node::Sql> sql =
        node::Sql::connect(endpoint_conninfo(endpoint_address(check.config), "postgres", "app"), deadline);
    if (sql || running_daemon(layout)) return sql;
    return Error{.code = sqlstate::kConnectionFailure, .message = "the cluster in \"" + layout.root + "\" is not running",
                 .hint = "Start it: pgmosaic up " + cluster + "."};
}

}  // namespace pgmosaic::cli
