#include "wire/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace pgmosaic::wire {

namespace {

constexpr std::string_view kBindingType = "tls-server-end-point";
constexpr std::size_t kSaltBytes = 16;

[[noreturn]] void refuse(SqlState code, std::string message, std::string detail = {}) {
    throw PgError(Error{.code = code, .message = std::move(message), .detail = std::move(detail), .severity = "FATAL"});
}

[[noreturn]] void malformed(std::string detail) {
    refuse(sqlstate::kProtocolViolation, "malformed SCRAM message", std::move(detail));
}

std::string_view bytes_of(const ScramKey& key) { return {reinterpret_cast<const char*>(key.data()), key.size()}; }

ScramKey hmac(const ScramKey& key, std::string_view text) {
    ScramKey result{};
    unsigned int bytes = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         result.data(), &bytes);
    return result;
}

ScramKey sha256(std::string_view text) {
    ScramKey result{};
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), result.data());
    return result;
}

ScramKey exclusive_or(const ScramKey& a, const ScramKey& b) {
    ScramKey result{};
    std::transform(a.begin(), a.end(), b.begin(), result.begin(), [](unsigned char x, unsigned char y) { return x ^ y; });
    return result;
}

bool equal(const ScramKey& a, const ScramKey& b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

std::optional<ScramKey> key_of(std::string_view base64) {
    const auto bytes = from_base64(base64);
    if (!bytes || bytes->size() != sizeof(ScramKey)) return std::nullopt;
    ScramKey key{};
    std::copy(bytes->begin(), bytes->end(), key.begin());
    return key;
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x21 && c <= 0x7E && c != ','; });
}

std::string shown(std::string_view text) {
    if (text.empty()) return "end of string";
    const auto c = static_cast<unsigned char>(text[0]);
    if (c >= 0x21 && c <= 0x7E) return "\"" + std::string(1, text[0]) + "\"";
    constexpr const char* kDigits = "0123456789abcdef";
    return std::string("0x") + kDigits[c >> 4] + kDigits[c & 15];
}

/// `x=value` up to the next comma; `rest` goes on behind it. `name` 0: any letter.
std::string_view take_attribute(std::string_view& rest, char name) {
    if (rest.empty() || (name != 0 && rest[0] != name)) {
        if (name == 0) malformed("Attribute expected, but found " + shown(rest) + ".");
        malformed("Expected attribute \"" + std::string(1, name) + "\" but found " + shown(rest) + ".");
    }
    const bool letter = (rest[0] >= 'A' && rest[0] <= 'Z') || (rest[0] >= 'a' && rest[0] <= 'z');
    if (!letter) malformed("Attribute expected, but found invalid character " + shown(rest) + ".");
    const char found = rest[0];
    rest.remove_prefix(1);
    if (rest.empty() || rest[0] != '=') malformed("Expected character \"=\" for attribute \"" + std::string(1, found) + "\".");
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string_view value = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return value;
}

void check_whole(std::string_view message) {
    if (message.empty()) malformed("The message is empty.");
    if (message.find('\0') != std::string_view::npos) malformed("Message length does not match input length.");
}

}  // namespace

std::string to_base64(std::string_view bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                       reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    const auto is_digit = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    };
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    if (text.size() % 4 != 0 || !std::all_of(text.begin(), text.end() - static_cast<std::ptrdiff_t>(padding), is_digit)) return std::nullopt;
    std::string bytes(text.size() / 4 * 3, '\0');
    const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                       reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (length < 0) return std::nullopt;
    bytes.resize(static_cast<std::size_t>(length) - padding);
    return bytes;
}

std::string random_nonce() {
    std::string raw(18, '\0');
    PGM_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(raw.size())) == 1,
              "the random number generator is seeded");
    return to_base64(raw);
}

std::optional<ScramVerifier> read_verifier(std::string_view text) {
    constexpr std::string_view kBegin = "SCRAM-SHA-256$";
    if (!text.starts_with(kBegin)) return std::nullopt;
    text.remove_prefix(kBegin.size());
    ScramVerifier verifier;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), verifier.iterations);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (failure != std::errc() || verifier.iterations <= 0 || text.empty() || text[0] != ':') return std::nullopt;
    const std::size_t dollar = text.find('$');
    const std::size_t colon = dollar == std::string_view::npos ? dollar : text.find(':', dollar);
    if (colon == std::string_view::npos) return std::nullopt;
    verifier.salt = text.substr(1, dollar - 1);
    const auto stored = key_of(text.substr(dollar + 1, colon - dollar - 1));
    const auto server = key_of(text.substr(colon + 1));
    if (!from_base64(verifier.salt) || !stored || !server) return std::nullopt;
    verifier.stored_key = *stored;
    verifier.server_key = *server;
    return verifier;
}

ScramVerifier mock_verifier(std::string_view user, std::string_view secret) {
    const ScramKey key = sha256(secret);
    const ScramKey salt = hmac(key, std::string("salt ") + std::string(user));
    ScramVerifier verifier;
    verifier.salt = to_base64(bytes_of(salt).substr(0, kSaltBytes));
    // Hashes of something that nobody has the preimage of.
    verifier.stored_key = hmac(key, std::string("stored ") + std::string(user));
    verifier.server_key = hmac(key, std::string("server ") + std::string(user));
    return verifier;
}

// ---------------------------------------------------------------- server

ScramServer::ScramServer(ScramVerifier verifier, bool plus, std::string binding, std::string nonce)
    : verifier_(std::move(verifier)), plus_(plus), binding_(std::move(binding)), nonce_(std::move(nonce)) {}

/// `n,,` · `y,,` · `p=tls-server-end-point,,`; returns what follows the flag.
std::string_view ScramServer::read_binding_flag(std::string_view rest) {
    switch (rest[0]) {
        case 'n':
            if (plus_) malformed("The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.");
            return rest.substr(1);
        case 'y':
            if (plus_) malformed("The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.");
            // We did offer it: somebody between us has taken the offer away.
            if (!binding_.empty()) {
                refuse(sqlstate::kInvalidAuthorization, "SCRAM channel binding negotiation error",
                       "The client supports SCRAM channel binding but thinks the server does not.  However, this server does "
                       "support channel binding.");
            }
            return rest.substr(1);
        case 'p': {
            if (!plus_) malformed("The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.");
            const std::size_t end = std::min(rest.find(','), rest.size());
            std::string_view part = rest.substr(0, end);
            const std::string_view type = take_attribute(part, 'p');
            if (type != kBindingType) {
                refuse(sqlstate::kProtocolViolation, "unsupported SCRAM channel-binding type \"" + std::string(type.substr(0, 64)) + "\"");
            }
            return rest.substr(end);
        }
        default: malformed("Unexpected channel-binding flag " + shown(rest) + ".");
    }
}

std::string ScramServer::first(std::string_view client_first) {
    check_whole(client_first);
    std::string_view rest = read_binding_flag(client_first);
    if (rest.empty() || rest[0] != ',') malformed("Comma expected, but found character " + shown(rest) + ".");
    rest.remove_prefix(1);
    if (!rest.empty() && rest[0] == 'a') {
        refuse(sqlstate::kFeatureNotSupported, "client uses authorization identity, but it is not supported");
    }
    if (rest.empty() || rest[0] != ',') malformed("Unexpected attribute " + shown(rest) + " in client-first-message.");
    rest.remove_prefix(1);
    header_ = client_first.substr(0, client_first.size() - rest.size());
    const std::string bare(rest);
    if (!rest.empty() && rest[0] == 'm') {
        refuse(sqlstate::kFeatureNotSupported, "client requires an unsupported SCRAM extension");
    }
    take_attribute(rest, 'n');  // the name in the startup packet counts
    const std::string_view client_nonce = take_attribute(rest, 'r');
    if (client_nonce.empty() || !is_printable(client_nonce)) refuse(sqlstate::kProtocolViolation, "non-printable characters in SCRAM nonce");
    while (!rest.empty()) take_attribute(rest, 0);
    nonce_ = std::string(client_nonce) + nonce_;
    const std::string answer = "r=" + nonce_ + ",s=" + verifier_.salt + ",i=" + std::to_string(verifier_.iterations);
    auth_message_ = bare + "," + answer;
    return answer;
}

void ScramServer::check_binding(std::string_view attribute) const {
    if (attribute == to_base64(header_ + (plus_ ? binding_ : std::string()))) return;
    if (plus_) refuse(sqlstate::kInvalidAuthorization, "SCRAM channel binding check failed");
    refuse(sqlstate::kProtocolViolation, "unexpected SCRAM channel-binding attribute in client-final-message");
}

std::optional<std::string> ScramServer::final(std::string_view client_final) {
    check_whole(client_final);
    std::string_view rest = client_final;
    check_binding(take_attribute(rest, 'c'));
    const std::string_view nonce = take_attribute(rest, 'r');
    std::string_view before_proof;
    std::string_view proof_text;
    while (true) {
        if (rest.empty()) malformed("Expected attribute \"p\" but found end of string.");
        before_proof = client_final.substr(0, client_final.size() - rest.size() - 1);
        const bool is_proof = rest[0] == 'p';
        proof_text = take_attribute(rest, 0);
        if (is_proof) break;
    }
    if (!rest.empty() || client_final.back() == ',') malformed("Garbage found at the end of client-final-message.");
    const auto proof = key_of(proof_text);
    if (!proof) malformed("Malformed proof in client-final-message.");
    if (nonce != nonce_) refuse(sqlstate::kProtocolViolation, "invalid SCRAM response", "Nonce does not match.");
    const std::string auth_message = auth_message_ + "," + std::string(before_proof);
    const ScramKey client_key = exclusive_or(*proof, hmac(verifier_.stored_key, auth_message));
    if (!equal(sha256(bytes_of(client_key)), verifier_.stored_key)) return std::nullopt;
    keys_ = {.client_key = client_key, .server_key = verifier_.server_key};
    return "v=" + to_base64(bytes_of(hmac(verifier_.server_key, auth_message)));
}

// ---------------------------------------------------------------- client

ScramClient::ScramClient(const ScramKeys& keys, std::string binding, std::string nonce)
    : keys_(keys), binding_(std::move(binding)), nonce_(std::move(nonce)) {}

std::string ScramClient::header() const { return binding_.empty() ? "n,," : "p=" + std::string(kBindingType) + ",,"; }

std::string ScramClient::first() const { return header() + "n=,r=" + nonce_; }

std::string ScramClient::final(std::string_view server_first) {
    check_whole(server_first);
    std::string_view rest = server_first;
    const std::string_view nonce = take_attribute(rest, 'r');
    if (nonce.size() <= nonce_.size() || !nonce.starts_with(nonce_)) {
        refuse(sqlstate::kProtocolViolation, "invalid SCRAM response", "Nonce does not match.");
    }
    const std::string without_proof = "c=" + to_base64(header() + binding_) + ",r=" + std::string(nonce);
    auth_message_ = "n=,r=" + nonce_ + "," + std::string(server_first) + "," + without_proof;
    const ScramKey stored = sha256(bytes_of(keys_.client_key));
    const ScramKey proof = exclusive_or(keys_.client_key, hmac(stored, auth_message_));
    return without_proof + ",p=" + to_base64(bytes_of(proof));
}

void ScramClient::check(std::string_view server_final) const {
    check_whole(server_final);
    std::string_view rest = server_final;
    if (rest[0] == 'e') {
        refuse(sqlstate::kInvalidPassword, "error received from server in SCRAM exchange: " + std::string(take_attribute(rest, 'e')));
    }
    const auto signature = key_of(take_attribute(rest, 'v'));
    if (!signature || !equal(*signature, hmac(keys_.server_key, auth_message_))) {
        refuse(sqlstate::kInvalidAuthorization, "incorrect server signature");
    }
}

}  // namespace pgmosaic::wire
