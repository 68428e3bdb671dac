#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/settings.h"

namespace pgmosaic::coordinator {

/// Where a client comes from.
struct ClientOrigin {
    bool unix_socket = false;
    boost::asio::ip::address address{};  ///< not of a Unix socket; an IPv4 address that came as IPv6 is IPv4
    bool local() const { return unix_socket || address.is_loopback(); }
    /// As PostgreSQL's messages name it: an address, or [local].
    std::string host() const { return unix_socket ? "[local]" : address.to_string(); }
};

/// What a rule is chosen by.
struct LoginFacts {
    const ClientOrigin& origin;
    bool encrypted = false;
    const std::string& user;
    const std::string& database;
};

enum class AccessMethod : std::uint8_t { kTrust, kReject, kScram, kCert, kPeer };

/// Who may come in, and by what: `auth` of the configuration, read as pg_hba.conf is: the first rule that fits decides, and
/// where none fits nobody comes in.
class AccessRules {
   public:
    /// Errors: F0000 a network that cannot be read.
    static Result<AccessRules> make(const std::vector<AuthRule>& written);
    std::optional<AccessMethod> method(const LoginFacts& facts) const;

   private:
    struct Rule {
        enum class From : std::uint8_t { kAll, kLocal, kNetwork } from = From::kAll;
        boost::asio::ip::address network{};
        int prefix_bits = 0;
        std::vector<std::string> users{};
        std::vector<std::string> databases{};
        AccessMethod method = AccessMethod::kReject;
    };
    static Result<Rule> rule_of(const AuthRule& written);
    static bool fits(const Rule& rule, const LoginFacts& facts);
    std::vector<Rule> rules_;
};

/// 28000 in PostgreSQL's words. `rejected`: a rule said so; else none fits.
Error no_entry(const LoginFacts& facts, bool rejected);

}  // namespace pgmosaic::coordinator
