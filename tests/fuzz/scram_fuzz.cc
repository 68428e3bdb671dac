// SASL messages of clients and servers never end the process: each is taken, or refused with a code that says so.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "wire/scram.h"

namespace {

using namespace pgmosaic;

void decode(std::uint8_t which, std::string_view text) {
    const wire::ScramVerifier verifier = wire::mock_verifier("user", "secret");
    wire::ScramServer server(verifier, which % 5 == 3, which % 5 == 3 ? "hash" : "", "ownnonce");
    switch (which % 5) {
        case 0:
        case 3: server.first(text); break;
        case 1:
            server.first("n,,n=,r=abc");
            // Nobody knows a proof that fits.
            if (server.final(text)) std::abort();
            break;
        case 2: wire::read_verifier(text); break;
        default: {
            wire::ScramClient client({}, "", "nonce");
            client.final(text);
            client.check(text);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    try {
        decode(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
    } catch (const PgError& error) {
        const SqlState code = error.error().code;
        const bool known = code == sqlstate::kProtocolViolation || code == sqlstate::kFeatureNotSupported ||
                           code == sqlstate::kInvalidAuthorization || code == sqlstate::kInvalidPassword;
        if (!known) std::abort();
    }
    return 0;
}
