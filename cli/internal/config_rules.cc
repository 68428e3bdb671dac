#include "cli/internal/config_rules.h"

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <map>
#include <set>
#include <string>

#include "cli/internal/config_place.h"

namespace pgmosaic::cli {

namespace {

/// One run over the whole; remembers the tree only to know the places.
class Rules {
   public:
    Rules(const Config& config, const YAML::Node& root, std::string_view text, std::vector<Problem>& problems)
        : config_(config), root_(root), text_(text), problems_(problems) {}

    void run() {
        if (config_.listen_postgres.empty()) complain(at("listen", "postgres"), "listen.postgres is empty");
        check_tls();
        check_store();
        check_auth();
        check_shards();
    }

   private:
    void check_tls() {
        if (config_.tls_mode == "require" && config_.tls_certificate.empty()) {
            complain(at("tls", "mode"), "tls.mode \"require\" needs tls.certificate and tls.key");
        }
        if (!config_.tls_client_ca.empty() && config_.tls_certificate.empty()) {
            complain(at("tls", "client_ca"), "tls.client_ca needs tls.certificate and tls.key");
        }
        if (config_.tls_certificate.empty() != config_.tls_key.empty()) {
            const bool key_missing = config_.tls_key.empty();
            complain(at("tls", key_missing ? "certificate" : "key"),
                     key_missing ? "tls.certificate needs tls.key" : "tls.key needs tls.certificate");
        }
    }

    void check_store() {
        if (config_.store_kind == "etcd" && config_.store_endpoints.empty()) {
            complain(at("store", "kind"), "store.kind \"etcd\" needs store.endpoints", "endpoints: [\"10.0.1.1:2379\"]");
        }
        if (config_.store_kind == "sqlite" && config_.store_path.empty()) {
            complain(at("store", "path"), "store.kind \"sqlite\" needs store.path");
        }
    }

    void check_auth() {
        for (std::size_t i = 0; i < config_.auth.size(); ++i) {
            const std::string& from = config_.auth[i].from;
            check_method(i);
            if (from == "local" || from == "all") continue;
            boost::system::error_code no_v4;
            boost::system::error_code no_v6;
            boost::asio::ip::make_network_v4(from, no_v4);
            boost::asio::ip::make_network_v6(from, no_v6);
            if (!no_v4 || !no_v6) continue;
            complain(in_record("auth", i, "from"), "invalid network in auth: \"" + from + "\"",
                     "local, all, or an address with a mask, such as 10.0.0.0/8");
        }
    }

    void check_method(std::size_t i) {
        const AuthRule& rule = config_.auth[i];
        if (rule.method == "cert" && config_.tls_client_ca.empty()) {
            complain(in_record("auth", i, "method"), "auth method \"cert\" needs tls.client_ca");
        }
        if (rule.method == "peer" && rule.from != "local") {
            complain(in_record("auth", i, "method"), "auth method \"peer\" is for Unix sockets only", "from: local");
        }
    }

    void check_shards() {
        std::map<std::string, std::string> users;
        std::set<std::string> names;
        if (!config_.workbench.empty()) users[config_.workbench] = "the workbench";
        for (std::size_t i = 0; i < config_.shards.size(); ++i) {
            const ShardBootstrap& shard = config_.shards[i];
            const YAML::Node name = in_record("shards", i, "name");
            if (shard.name.empty()) complain(name, "a shard has no name", "name: s" + std::to_string(i + 1));
            if (!shard.name.empty() && !names.insert(shard.name).second) {
                complain(name, "two shards are named \"" + shard.name + "\"");
            }
            const YAML::Node nodes = in_record("shards", i, "nodes");
            if (shard.nodes.empty()) complain(nodes, "shard \"" + shard.name + "\" has no nodes");
            if (shard.nodes.size() > 2) {
                complain(nodes, "shard \"" + shard.name + "\" has more than a primary and a standby");
            }
            if (!shard.agents.empty() && shard.agents.size() != shard.nodes.size()) {
                complain(in_record("shards", i, "agent"), "shard \"" + shard.name + "\" has " +
                                                              std::to_string(shard.nodes.size()) + " nodes and " +
                                                              std::to_string(shard.agents.size()) + " agents");
            }
            for (std::size_t n = 0; n < shard.nodes.size(); ++n) {
                const std::string& node = shard.nodes[n];
                const auto [user, fresh] = users.emplace(node, "shard \"" + shard.name + "\"");
                const YAML::Node place = nodes.IsSequence() && n < nodes.size() ? nodes[n] : nodes;
                if (!fresh) complain(place, "server \"" + node + "\" is used twice", "also by " + user->second);
            }
        }
    }

    /// The nearest that the file has: the setting, its section, or the file as a whole.
    YAML::Node at(const std::string& section, const std::string& key) const {
        const std::optional<YAML::Node> found = member(root_, section);
        return found ? member(*found, key).value_or(*found) : root_;
    }

    YAML::Node in_record(const std::string& list, std::size_t index, const std::string& key) const {
        const std::optional<YAML::Node> found = member(root_, list);
        if (!found || !found->IsSequence() || index >= found->size()) return root_;
        const YAML::Node record = (*found)[index];
        return member(record, key).value_or(record);
    }

    void complain(const YAML::Node& node, std::string message, std::string hint = {}) {
        problems_.push_back(problem_at(node, text_, std::move(message), std::move(hint)));
    }

    const Config& config_;
    const YAML::Node root_;
    std::string_view text_;
    std::vector<Problem>& problems_;
};

}  // namespace

void check_rules(const Config& config, const YAML::Node& root, std::string_view text, std::vector<Problem>& problems) {
    Rules(config, root, text, problems).run();
}

}  // namespace pgmosaic::cli
