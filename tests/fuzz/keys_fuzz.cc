// A key is hashed or not, never misread: an integer has one bucket, written as text or in binary, of whatever width.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "shardmap/hash.h"

namespace {

using namespace pgmosaic;
using namespace pgmosaic::shardmap;

constexpr Oid kTypes[] = {kByteaOid, kInt8Oid, kInt2Oid, kInt4Oid, kTextOid, kBpcharOid, kVarcharOid, kDateOid, kTimestampOid, kTimestamptzOid,
                          kNumericOid, kUuidOid};

void check_integer(std::string_view bytes) {
    if (bytes.size() != 8) return;
    std::uint64_t value = 0;
    for (const char byte : bytes) value = value << 8U | static_cast<std::uint8_t>(byte);
    const auto binary = bucket_of_binary(kInt8Oid, kInt8Oid, bytes);
    const auto text = bucket_of_text(kInt8Oid, std::to_string(static_cast<std::int64_t>(value)));
    if (!binary || binary != text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view value(reinterpret_cast<const char*>(data) + 2, size - 2);
    const Oid type = kTypes[data[0] % std::size(kTypes)];
    const Oid value_type = kTypes[data[1] % std::size(kTypes)];
    static_cast<void>(bucket_of_text(type, value));
    static_cast<void>(bucket_of_text(type, value, data[1]));
    static_cast<void>(bucket_of_binary(type, value_type, value));
    static_cast<void>(extended_hash(type, value));
    check_integer(value);
    return 0;
}
