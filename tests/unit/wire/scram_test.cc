#include "wire/scram.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/error.h"

namespace pgmosaic::wire {
namespace {

const std::string kSalt = "W22ZaJ0SNY7soEsUEjb6gQ==";

ScramKey hmac_of(const std::string& key, const std::string& text) {
    ScramKey result{};
    unsigned int bytes = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         result.data(), &bytes);
    return result;
}

std::string text_of(const ScramKey& key) { return {reinterpret_cast<const char*>(key.data()), key.size()}; }

/// What a password makes of a salt, as RFC 5802 has it; written apart from the code under test.
struct Derived {
    ScramKeys keys;
    ScramVerifier verifier;
};

Derived derive(const std::string& password, const std::string& salt = kSalt, int iterations = 4096) {
    const std::string raw = from_base64(salt).value();
    std::string salted(32, '\0');
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), reinterpret_cast<const unsigned char*>(raw.data()),
                      static_cast<int>(raw.size()), iterations, EVP_sha256(), 32, reinterpret_cast<unsigned char*>(salted.data()));
    Derived made;
    made.keys = {.client_key = hmac_of(salted, "Client Key"), .server_key = hmac_of(salted, "Server Key")};
    made.verifier = {.iterations = iterations, .salt = salt, .stored_key = {}, .server_key = made.keys.server_key};
    SHA256(made.keys.client_key.data(), made.keys.client_key.size(), made.verifier.stored_key.data());
    return made;
}

/// The SQLSTATE and the detail that the server's side throws.
template <class Call>
std::pair<std::string, std::string> refusal(const Call& call) {
    try {
        call();
    } catch (const PgError& error) {
        return {std::string(error.error().code.view()), error.error().detail.empty() ? error.error().message : error.error().detail};
    }
    return {};
}

using Refusal = std::pair<std::string, std::string>;

ScramServer server_for(const std::string& password, bool plus = false, std::string binding = {}) {
    return {derive(password).verifier, plus, std::move(binding), "3rfcNHYJY1ZVvWVs7j"};
}

// The exchange of RFC 7677, section 3.
TEST(Scram, AnswersTheExampleOfItsSpecification) {
    ScramServer server(derive("pencil").verifier, false, "", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    EXPECT_EQ(server.first("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
              "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    const auto signature = server.final(
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    ASSERT_TRUE(signature);
    EXPECT_EQ(*signature, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(Scram, TakesTheKeysOfTheClientFromItsProof) {
    ScramServer server = server_for("secret");
    ScramClient client(derive("secret").keys, "", "fyko+d2lbbFgONRv9qkxdawL");
    ASSERT_TRUE(server.first(client.first()).starts_with("r=fyko+d2lbbFgONRv9qkxdawL3rfc"));
    ScramServer again = server_for("secret");
    const std::string challenge = again.first(client.first());
    const auto signature = again.final(client.final(challenge));
    ASSERT_TRUE(signature);
    EXPECT_NO_THROW(client.check(*signature));
    EXPECT_EQ(again.keys(), derive("secret").keys);
    // With those keys one is let in elsewhere, without the password.
    ScramServer elsewhere = server_for("secret");
    ScramClient for_user(again.keys(), "", "abcdefgh");
    const std::string other_challenge = elsewhere.first(for_user.first());
    EXPECT_TRUE(elsewhere.final(for_user.final(other_challenge)));
}

TEST(Scram, RefusesAWrongPassword) {
    ScramServer server = server_for("secret");
    ScramClient client(derive("Secret").keys, "", "nonce");
    const std::string challenge = server.first(client.first());
    EXPECT_FALSE(server.final(client.final(challenge)));
}

TEST(Scram, BindsTheChannel) {
    const std::string hash(32, 'h');
    ScramServer server = server_for("secret", true, hash);
    ScramClient client(derive("secret").keys, hash, "nonce");
    EXPECT_EQ(client.mechanism(), kScramSha256Plus);
    const std::string challenge = server.first(client.first());
    EXPECT_TRUE(server.final(client.final(challenge)));

    ScramServer other = server_for("secret", true, std::string(32, 'o'));
    const std::string seen = other.first(client.first());
    EXPECT_EQ(refusal([&] { other.final(client.final(seen)); }), Refusal("28000", "SCRAM channel binding check failed"));
}

TEST(Scram, NoticesThatItsOfferOfBindingWasTakenAway) {
    ScramServer server = server_for("secret", false, std::string(32, 'h'));
    EXPECT_EQ(refusal([&] { server.first("y,,n=,r=abc"); }).first, "28000");
    ScramServer plain = server_for("secret");
    EXPECT_NO_THROW(plain.first("y,,n=,r=abc"));
}

TEST(Scram, NamesWhatIsMalformed) {
    const auto first = [](const std::string& message, bool plus = false) {
        return refusal([&] { server_for("secret", plus, plus ? std::string(32, 'h') : "").first(message); });
    };
    EXPECT_EQ(first(""), Refusal("08P01", "The message is empty."));
    EXPECT_EQ(first(std::string("n,,n=,r=a\0b", 11)), Refusal("08P01", "Message length does not match input length."));
    EXPECT_EQ(first("x"), Refusal("08P01", "Unexpected channel-binding flag \"x\"."));
    EXPECT_EQ(first("n"), Refusal("08P01", "Comma expected, but found character end of string."));
    EXPECT_EQ(first("n,a=joe,n=,r=abc"), Refusal("0A000", "client uses authorization identity, but it is not supported"));
    EXPECT_EQ(first("n,,m=1,n=,r=abc"), Refusal("0A000", "client requires an unsupported SCRAM extension"));
    EXPECT_EQ(first("n,,r=abc"), Refusal("08P01", "Expected attribute \"n\" but found \"r\"."));
    EXPECT_EQ(first("n,,n=,r="), Refusal("08P01", "non-printable characters in SCRAM nonce"));
    EXPECT_EQ(first("n,,n=,r=a\x01"), Refusal("08P01", "non-printable characters in SCRAM nonce"));
    EXPECT_EQ(first("p=tls-unique,,n=,r=abc", true), Refusal("08P01", "unsupported SCRAM channel-binding type \"tls-unique\""));
    EXPECT_EQ(first("n,,n=,r=abc", true).first, "08P01");
    EXPECT_EQ(first("p=tls-server-end-point,,n=,r=abc").first, "08P01");

    const auto final = [](const std::string& message) {
        ScramServer server = server_for("secret");
        server.first("n,,n=,r=abc");
        return refusal([&] { server.final(message); });
    };
    const std::string proof = to_base64(std::string(32, 'p'));
    EXPECT_EQ(final("c=biws,r=abc,p=" + proof), Refusal("08P01", "Nonce does not match."));
    EXPECT_EQ(final("c=eSws,r=abc3rfcNHYJY1ZVvWVs7j,p=" + proof).first, "08P01");
    EXPECT_EQ(final("c=biws,r=abc3rfcNHYJY1ZVvWVs7j"), Refusal("08P01", "Expected attribute \"p\" but found end of string."));
    EXPECT_EQ(final("c=biws,r=abc3rfcNHYJY1ZVvWVs7j,p=AAAA"), Refusal("08P01", "Malformed proof in client-final-message."));
    EXPECT_EQ(final("c=biws,r=abc3rfcNHYJY1ZVvWVs7j,p=" + proof + ",x=1"), Refusal("08P01", "Garbage found at the end of client-final-message."));
}

TEST(Scram, ReadsTheVerifiersOfPostgreSql) {
    const Derived made = derive("secret");
    const std::string text = "SCRAM-SHA-256$4096:" + kSalt + "$" + to_base64(text_of(made.verifier.stored_key)) + ":" +
                             to_base64(text_of(made.verifier.server_key));
    const auto read = read_verifier(text);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->iterations, 4096);
    EXPECT_EQ(read->salt, kSalt);
    EXPECT_EQ(read->stored_key, made.verifier.stored_key);
    EXPECT_EQ(read->server_key, made.verifier.server_key);
    for (const std::string& other : {std::string(), std::string("md5d8578edf8458ce06fbc5bb76a58c5ca4"), std::string("SCRAM-SHA-256$"),
                                     text.substr(0, text.size() - 4), "SCRAM-SHA-256$0:" + text.substr(19), std::string("SCRAM-SHA-256$4096:x$:")}) {
        EXPECT_FALSE(read_verifier(other)) << other;
    }
}

TEST(Scram, GivesAnUnknownUserTheSameChallengeEachTime) {
    const ScramVerifier once = mock_verifier("nobody", "cluster");
    const ScramVerifier again = mock_verifier("nobody", "cluster");
    EXPECT_EQ(once.salt, again.salt);
    EXPECT_NE(once.salt, mock_verifier("somebody", "cluster").salt);
    EXPECT_NE(once.salt, mock_verifier("nobody", "another cluster").salt);
    EXPECT_EQ(from_base64(once.salt)->size(), 16U);
}

TEST(Scram, ClientWantsProofOfTheServer) {
    const Derived made = derive("secret");
    ScramClient client(made.keys, "", "nonce");
    EXPECT_EQ(refusal([&] { client.final("r=other,s=" + kSalt + ",i=4096"); }).first, "08P01");
    client.final("r=nonceabc,s=" + kSalt + ",i=4096");
    EXPECT_EQ(refusal([&] { client.check("v=" + to_base64(std::string(32, 'v'))); }).first, "28000");
    EXPECT_EQ(refusal([&] { client.check("e=invalid-proof"); }).first, "28P01");
}

TEST(Base64, IsReadStrictly) {
    for (const std::string bytes : {"", "a", "ab", "abc", "abcd"}) EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
    for (const char* wrong : {"a", "ab=c", "abc", "====", "ab\n=", "a==="}) EXPECT_FALSE(from_base64(wrong)) << wrong;
}

}  // namespace
}  // namespace pgmosaic::wire
