// Records of the store are read, or refused; what was read is written so that it reads the same.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "shardmap/map_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace pgmosaic::shardmap;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(cluster_from_json(text));
    static_cast<void>(shard_from_json(text));
    static_cast<void>(group_from_json(text));
    if (const auto map = map_from_json(text)) {
        const std::string written = to_json(**map);
        const auto again = map_from_json(written);
        if (!again || to_json(**again) != written) std::abort();
    }
    return 0;
}
