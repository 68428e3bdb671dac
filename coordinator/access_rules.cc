#include "coordinator/access_rules.h"

#include <algorithm>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

namespace pgmosaic::coordinator {

namespace {

namespace ip = boost::asio::ip;

bool contains_word(const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

template <class Bytes>
bool same_prefix(const Bytes& a, const Bytes& b, int bits) {
    for (std::size_t i = 0; i < a.size() && bits > 0; ++i, bits -= 8) {
        const unsigned mask = bits >= 8 ? 0xFFU : 0xFFU & ~(0xFFU >> bits);
        if (((a[i] ^ b[i]) & mask) != 0) return false;
    }
    return true;
}

bool is_in_network(const ip::address& address, const ip::address& network, int bits) {
    if (address.is_v4() && network.is_v4()) return same_prefix(address.to_v4().to_bytes(), network.to_v4().to_bytes(), bits);
    if (address.is_v6() && network.is_v6()) return same_prefix(address.to_v6().to_bytes(), network.to_v6().to_bytes(), bits);
    return false;
}

std::optional<AccessMethod> access_method(const std::string& word) {
    if (word == "trust") return AccessMethod::kTrust;
    if (word == "reject") return AccessMethod::kReject;
    if (word == "scram-sha-256") return AccessMethod::kScram;
    if (word == "cert") return AccessMethod::kCert;
    if (word == "peer") return AccessMethod::kPeer;
    return std::nullopt;
}

}  // namespace

Result<AccessRules> AccessRules::make(const std::vector<AuthRule>& written) {
    AccessRules rules;
    for (const AuthRule& each : written) {
        auto rule = rule_of(each);
        if (!rule) return rule.error();
        rules.rules_.push_back(std::move(*rule));
    }
    return rules;
}

Result<AccessRules::Rule> AccessRules::rule_of(const AuthRule& written) {
    const auto method = access_method(written.method);
    if (!method) return Error{.code = sqlstate::kConfigFileError, .message = "invalid method in auth: \"" + written.method + "\""};
    Rule rule{.users = written.users, .databases = written.databases, .method = *method};
    if (written.from == "all") return rule;
    if (written.from == "local") {
        rule.from = Rule::From::kLocal;
        return rule;
    }
    rule.from = Rule::From::kNetwork;
    boost::system::error_code no_v4;
    const ip::network_v4 v4 = ip::make_network_v4(written.from, no_v4);
    if (!no_v4) {
        rule.network = v4.address();
        rule.prefix_bits = v4.prefix_length();
        return rule;
    }
    boost::system::error_code no_v6;
    const ip::network_v6 v6 = ip::make_network_v6(written.from, no_v6);
    if (no_v6) return Error{.code = sqlstate::kConfigFileError, .message = "invalid network in auth: \"" + written.from + "\""};
    rule.network = v6.address();
    rule.prefix_bits = v6.prefix_length();
    return rule;
}

bool AccessRules::fits(const Rule& rule, const LoginFacts& facts) {
    switch (rule.from) {
        case Rule::From::kAll: break;
        case Rule::From::kLocal:
            if (!facts.origin.local()) return false;
            break;
        case Rule::From::kNetwork:
            if (facts.origin.unix_socket || !is_in_network(facts.origin.address, rule.network, rule.prefix_bits)) return false;
            break;
    }
    if (!contains_word(rule.users, "all") && !contains_word(rule.users, facts.user)) return false;
    if (contains_word(rule.databases, "all") || contains_word(rule.databases, facts.database)) return true;
    return facts.user == facts.database && contains_word(rule.databases, "sameuser");
}

std::optional<AccessMethod> AccessRules::method(const LoginFacts& facts) const {
    const auto found = std::find_if(rules_.begin(), rules_.end(), [&](const Rule& rule) { return fits(rule, facts); });
    if (found == rules_.end()) return std::nullopt;
    return found->method;
}

Error no_entry(const LoginFacts& facts, bool rejected) {
    const std::string who = "host \"" + facts.origin.host() + "\", user \"" + facts.user + "\", database \"" + facts.database + "\", " +
                            (facts.encrypted ? "SSL encryption" : "no encryption");
    return Error{.code = sqlstate::kInvalidAuthorization,
                 .message = (rejected ? "pg_hba.conf rejects connection for " : "no pg_hba.conf entry for ") + who,
                 .hint = "The rules are those of \"auth\" in the configuration of pgmosaic.",
                 .severity = "FATAL"};
}

}  // namespace pgmosaic::coordinator
