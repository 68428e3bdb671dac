#include "coordinator/internal/row_arrays.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "wire/frame.h"
#include "wire/reader.h"

namespace pgmosaic::coordinator {

namespace {

/// Fixed for ever by PostgreSQL (pg_type.dat).
constexpr std::pair<Oid, Oid> kArrays[] = {
    {16, 1000},   {17, 1001},   {18, 1002},   {19, 1003},   {20, 1016},   {21, 1005},   {23, 1007},   {25, 1009},   {26, 1028},
    {114, 199},   {142, 143},   {600, 1017},  {650, 651},   {700, 1021},  {701, 1022},  {774, 775},   {790, 791},   {829, 1040},
    {869, 1041},  {1042, 1014}, {1043, 1015}, {1082, 1182}, {1083, 1183}, {1114, 1115}, {1184, 1185}, {1186, 1187}, {1266, 1270},
    {1560, 1561}, {1562, 1563}, {1700, 1231}, {2950, 2951}, {3802, 3807},
};

}  // namespace

Oid array_type_of(Oid type) {
    const auto found = std::find_if(std::begin(kArrays), std::end(kArrays), [type](const auto& pair) { return pair.first == type; });
    return found == std::end(kArrays) ? 0 : found->second;
}

void ColumnArray::add(std::string_view value) {
    wire::put_int32(values_, static_cast<std::int32_t>(value.size()));
    values_ += value;
    ++count_;
}

void ColumnArray::add_null() {
    wire::put_int32(values_, -1);
    ++count_;
    nulls_ = true;
}

void ColumnArray::write(std::string& out) const {
    constexpr std::size_t kEmptyHead = 12;
    constexpr std::size_t kHead = 20;
    wire::put_int32(out, static_cast<std::int32_t>((count_ == 0 ? kEmptyHead : kHead) + values_.size()));
    wire::put_int32(out, count_ == 0 ? 0 : 1);
    wire::put_int32(out, nulls_ ? 1 : 0);
    wire::put_int32(out, static_cast<std::int32_t>(element_));
    if (count_ == 0) return;
    wire::put_int32(out, static_cast<std::int32_t>(count_));
    wire::put_int32(out, 1);
    out += values_;
}

void ColumnArray::clear() {
    values_.clear();
    count_ = 0;
    nulls_ = false;
}

void read_values(std::string_view body, std::size_t count, std::vector<std::string_view>& values) {
    wire::Reader reader(body);
    const auto columns = static_cast<std::uint16_t>(reader.int16());
    if (columns != count) {
        throw PgError(Error{.code = sqlstate::kProtocolViolation,
                            .message = "a row of " + std::to_string(columns) + " columns came where " + std::to_string(count) + " were announced"});
    }
    values.clear();
    for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t length = reader.int32();
        values.push_back(length < 0 ? std::string_view{} : reader.bytes(static_cast<std::size_t>(length)));
    }
}

}  // namespace pgmosaic::coordinator
