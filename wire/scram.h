#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace pgmosaic::wire {

/// A key or a hash of SCRAM-SHA-256.
using ScramKey = std::array<unsigned char, 32>;

inline constexpr std::string_view kScramSha256 = "SCRAM-SHA-256";
inline constexpr std::string_view kScramSha256Plus = "SCRAM-SHA-256-PLUS";
/// PostgreSQL's own bound of a SASL message.
inline constexpr std::size_t kSaslBytesMax = 1024;

/// What pg_authid.rolpassword holds of a role: enough to check a proof, not to make one.
///
///   SCRAM-SHA-256$<iterations>:<salt, base64>$<StoredKey, base64>:<ServerKey, base64>
struct ScramVerifier {
    int iterations = 4096;
    std::string salt{};  ///< base64
    ScramKey stored_key{};
    ScramKey server_key{};
};
/// nullopt: it is something else (md5, or nothing).
std::optional<ScramVerifier> read_verifier(std::string_view text);
/// What stands in for the verifier of a role that has none: the same each time for the same name, so that nobody can tell it
/// from a real one, and no proof fits it. `secret` is the cluster's.
ScramVerifier mock_verifier(std::string_view user, std::string_view secret);

/// What a client's proof gives away to whoever holds the verifier: with it one can log in as that role wherever the verifier
/// is the same.
struct ScramKeys {
    ScramKey client_key{};
    ScramKey server_key{};
    friend bool operator==(const ScramKeys&, const ScramKeys&) = default;
};

/// The server's side of one SASL exchange (RFC 5802, RFC 7677, with PostgreSQL's strictness and words).
///
///   client-first  gs2-header "n=,r=" nonce          first()   → "r=" nonce own ",s=" salt ",i=" iterations
///   client-final  "c=" binding ",r=" nonce ",p=" proof   final()   → "v=" signature, or nothing: wrong password
///
/// Errors  PgError 08P01 malformed, 0A000 unsupported, 28000 channel binding does not fit
class ScramServer {
   public:
    /// `plus`: the client has chosen SCRAM-SHA-256-PLUS. `binding`: the hash of our certificate; empty: no TLS, or none defined.
    /// `nonce`: printable, without commas, random.
    ScramServer(ScramVerifier verifier, bool plus, std::string binding, std::string nonce);
    std::string first(std::string_view client_first);
    std::optional<std::string> final(std::string_view client_final);
    /// After final() has given a signature.
    const ScramKeys& keys() const { return keys_; }

   private:
    std::string_view read_binding_flag(std::string_view rest);
    void check_binding(std::string_view attribute) const;

    ScramVerifier verifier_;
    bool plus_;
    std::string binding_;
    std::string nonce_;         ///< client's and ours
    std::string header_;        ///< gs2-header of client-first
    std::string auth_message_;  ///< client-first-bare "," server-first
    ScramKeys keys_;
};

/// The client's side towards a server, with keys in place of a password.
///
/// Errors  PgError 08P01, 28000: the server does not know the keys, or does not prove that it does
class ScramClient {
   public:
    /// `binding`: the hash of the server's certificate; empty: no channel binding.
    ScramClient(const ScramKeys& keys, std::string binding, std::string nonce);
    std::string_view mechanism() const { return binding_.empty() ? kScramSha256 : kScramSha256Plus; }
    std::string first() const;
    std::string final(std::string_view server_first);
    void check(std::string_view server_final) const;

   private:
    std::string header() const;

    ScramKeys keys_;
    std::string binding_;
    std::string nonce_;
    std::string auth_message_;
};

/// 18 random bytes in base64, as PostgreSQL's nonces are.
std::string random_nonce();

std::string to_base64(std::string_view bytes);
/// nullopt: not base64.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace pgmosaic::wire
