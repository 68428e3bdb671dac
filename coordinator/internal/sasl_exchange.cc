#include "coordinator/internal/sasl_exchange.h"

#include "wire/frame.h"
#include "wire/messages.h"
#include "wire/reader.h"

namespace pgmosaic::coordinator {

namespace {

constexpr std::int32_t kSasl = 10;
constexpr std::int32_t kSaslContinue = 11;
constexpr std::int32_t kSaslFinal = 12;

[[noreturn]] void protocol_error(std::string message) {
    throw PgError(Error{.code = sqlstate::kProtocolViolation, .message = std::move(message), .severity = "FATAL"});
}

/// The body of the next SASL message.
Task<std::string> read_sasl(ClientStream& client) {
    backend::Buffer& input = client.stream().input();
    while (input.unread().size() < wire::kHeaderBytes) co_await client.stream().fill();
    const char type = input.unread()[0];
    if (type != 'p') protocol_error("expected SASL response, got message type " + std::to_string(static_cast<unsigned char>(type)));
    const std::uint32_t length = wire::read_uint32(input.unread().data() + 1);
    if (length < 4 || length > wire::kSaslBytesMax + 4) protocol_error("invalid message length");
    while (input.unread().size() < length + 1) co_await client.stream().fill();
    std::string body(input.unread().substr(wire::kHeaderBytes, length - 4));
    input.consume(length + 1);
    co_return body;
}

struct FirstResponse {
    bool plus = false;
    std::string_view message{};
};

/// SASLInitialResponse: the mechanism, then the length of what follows, then that.
FirstResponse read_first(std::string_view body, bool plus_offered) {
    wire::Reader reader(body);
    FirstResponse response;
    const std::string_view mechanism = reader.cstring();
    response.plus = plus_offered && mechanism == wire::kScramSha256Plus;
    if (!response.plus && mechanism != wire::kScramSha256) protocol_error("client selected an invalid SASL authentication mechanism");
    const std::int32_t length = reader.int32();
    if (length < 0) protocol_error("malformed SCRAM message");  // PostgreSQL would ask again for what it needs now
    response.message = reader.bytes(static_cast<std::size_t>(length));
    reader.expect_end();
    return response;
}

}  // namespace

Task<std::optional<wire::ScramKeys>> exchange_scram(ClientStream& client, wire::ScramVerifier verifier) {
    // Of the certificate that this client was shown, whatever a reload has brought since.
    const backend::TlsChannel* tls = client.stream().tls();
    const std::string binding = tls == nullptr ? std::string() : backend::end_point_hash(SSL_get_certificate(tls->ssl()));
    const bool plus_offered = !binding.empty();
    {
        wire::FrameWriter frame(client.out(), 'R');
        frame.int32(kSasl);
        if (plus_offered) frame.cstring(wire::kScramSha256Plus);
        frame.cstring(wire::kScramSha256).int8(0);
    }
    co_await client.flush();
    const std::string first_body = co_await read_sasl(client);
    const FirstResponse first = read_first(first_body, plus_offered);
    wire::ScramServer server(std::move(verifier), first.plus, binding, wire::random_nonce());
    const std::string challenge = server.first(first.message);
    wire::FrameWriter(client.out(), 'R').int32(kSaslContinue).bytes(challenge);
    co_await client.flush();
    const std::string final_body = co_await read_sasl(client);
    const std::optional<std::string> signature = server.final(final_body);
    if (!signature) co_return std::nullopt;
    wire::FrameWriter(client.out(), 'R').int32(kSaslFinal).bytes(*signature);
    co_return server.keys();
}

}  // namespace pgmosaic::coordinator
