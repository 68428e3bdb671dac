// Bytes of clients and servers never end the process: each decoder reads them, or throws 08P01 (22023 for a format code, as
// PostgreSQL does).

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/messages.h"

namespace {

using namespace pgmosaic;

void decode(std::uint8_t which, std::string_view body) {
    wire::Bind bind;
    switch (which % 7) {
        case 0: wire::read_types(wire::read_parse(body).types); break;
        case 1: wire::read_bind(body, bind); break;
        case 2: wire::read_row_description(body); break;
        case 3: {
            const Error error = wire::read_error(body);
            std::string out;
            wire::write_error(out, error);
            wire::write_error_with_context(out, 'E', body, "shard s1");
            // What was written must be a whole frame, whatever was read.
            if (!wire::next_frame(out)) std::abort();
            break;
        }
        case 4: wire::read_startup_parameters(body); break;
        case 5: wire::tag_rows(body); break;
        default:
            for (std::string_view rest = body; const auto frame = wire::next_frame(rest);) {
                if (frame->whole.size() > rest.size() || frame->whole.empty()) std::abort();
                rest.remove_prefix(frame->whole.size());
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
        if (code != sqlstate::kProtocolViolation && code != sqlstate::kInvalidParameterValue) std::abort();
    }
    return 0;
}
