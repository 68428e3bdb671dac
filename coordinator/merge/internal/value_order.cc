#include "coordinator/merge/internal/value_order.h"

#include <locale.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "coordinator/merge/internal/bytes.h"
#include "coordinator/merge/internal/numeric.h"
#include "planner/merge_types.h"

namespace pgmosaic::merge {
namespace {

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr std::int64_t kMicrosecondsPerDay = 86'400'000'000;
constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
constexpr int kDaysPerMonth = 30;

void expect_size(std::string_view value, std::size_t size) {
    if (value.size() == size) return;
    throw PgError(Error{.code = sqlstate::kProtocolViolation,
                        .message = "invalid binary value from a shard"});
}

template <class Int>
Int read_exact(std::string_view value) {
    expect_size(value, sizeof(Int));
    return load<Int>(value.data());
}

std::uint64_t ordered(std::int64_t value) {
    return static_cast<std::uint64_t>(value) ^ kSignBit;
}

// float4 widens without a change of order.
std::uint64_t ordered(double value) {
    if (std::isnan(value)) return ~std::uint64_t{0};
    if (value == 0) value = 0;  // -0
    auto bits = std::bit_cast<std::uint64_t>(value);
    return (bits & kSignBit) != 0 ? ~bits : bits | kSignBit;
}

//     offset  bytes
//     0       8      microseconds
//     8       4      days
//     12      4      months
Int128 interval_span(std::string_view value) {
    expect_size(value, 16);
    Int128 days = Int128{load<std::int32_t>(value.data() + 12)} * kDaysPerMonth +
                  load<std::int32_t>(value.data() + 8);
    return days * kMicrosecondsPerDay + load<std::int64_t>(value.data());
}

//     offset  bytes
//     0       8      microseconds since midnight, local
//     8       4      seconds west of UTC
struct TimeTz {
    std::int64_t utc = 0;
    std::int32_t zone = 0;
};
TimeTz time_tz(std::string_view value) {
    expect_size(value, 12);
    auto zone = load<std::int32_t>(value.data() + 8);
    return {load<std::int64_t>(value.data()) + zone * kMicrosecondsPerSecond, zone};
}

std::string_view trim_blanks(std::string_view value) {
    return value.substr(0, value.find_last_not_of(' ') + 1);
}

std::uint64_t first_bytes(std::string_view value) {
    char bytes[8] = {};
    std::memcpy(bytes, value.data(), std::min(value.size(), sizeof bytes));
    return load<std::uint64_t>(bytes);
}

template <class T>
int three_way(const T& a, const T& b) {
    return a < b ? -1 : b < a ? 1 : 0;
}

int compare_bytes(std::string_view a, std::string_view b) {
    int order = std::memcmp(a.data(), b.data(), std::min(a.size(), b.size()));
    return order != 0 ? order : three_way(a.size(), b.size());
}

}  // namespace

void ValueOrder::LocaleFree::operator()(locale_t locale) const {
    freelocale(locale);
}

ValueOrder::Kind ValueOrder::kind_of(Oid oid) {
    namespace type = planner::type;
    switch (oid) {
        case type::kBool:
        case type::kChar:
            return Kind::kByte;
        case type::kInt2:
            return Kind::kInt2;
        case type::kInt4:
        case type::kDate:
            return Kind::kInt4;
        case type::kInt8:
        case type::kMoney:
        case type::kTime:
        case type::kTimestamp:
        case type::kTimestampTz:
            return Kind::kInt8;
        case type::kOid:
            return Kind::kOid;
        case type::kLsn:
            return Kind::kUint8;
        case type::kFloat4:
            return Kind::kFloat4;
        case type::kFloat8:
            return Kind::kFloat8;
        case type::kNumeric:
            return Kind::kNumeric;
        case type::kBytea:
        case type::kUuid:
        case type::kName:
        case type::kText:
        case type::kVarchar:
            return Kind::kBytes;
        case type::kBpchar:
            return Kind::kBpchar;
        case type::kInterval:
            return Kind::kInterval;
        case type::kTimeTz:
            return Kind::kTimeTz;
        default:
            throw PgError(
                refusal("values of type " + std::to_string(oid) + " cannot be compared here"));
    }
}

ValueOrder ValueOrder::make(Oid oid, const std::string& locale) {
    ValueOrder order;
    order.kind_ = kind_of(oid);
    order.exact_ = order.kind_ <= Kind::kFloat8;
    if (planner::merge_needs_collation(oid) && !locale.empty()) {
        locale_t own = newlocale(LC_COLLATE_MASK | LC_CTYPE_MASK, locale.c_str(), nullptr);
        if (own == nullptr) {
            throw PgError(refusal("the order of locale \"" + locale + "\" is not known here",
                                  "The coordinator's machine does not have this locale.",
                                  "Install the locale, or sort by a column with COLLATE \"C\"."));
        }
        order.locale_ = {own, LocaleFree{}};
    }
    return order;
}

std::uint64_t ValueOrder::prefix(std::string_view value) const {
    switch (kind_) {
        case Kind::kByte:
            return read_exact<std::uint8_t>(value);
        case Kind::kInt2:
            return ordered(std::int64_t{read_exact<std::int16_t>(value)});
        case Kind::kInt4:
            return ordered(std::int64_t{read_exact<std::int32_t>(value)});
        case Kind::kInt8:
            return ordered(read_exact<std::int64_t>(value));
        case Kind::kOid:
            return read_exact<std::uint32_t>(value);
        case Kind::kUint8:
            return read_exact<std::uint64_t>(value);
        case Kind::kFloat4:
            return ordered(double{std::bit_cast<float>(read_exact<std::uint32_t>(value))});
        case Kind::kFloat8:
            return ordered(std::bit_cast<double>(read_exact<std::uint64_t>(value)));
        case Kind::kNumeric:
            return merge::prefix(NumericView::parse(value));
        case Kind::kBytes:
            return locale_ ? 0 : first_bytes(value);
        case Kind::kBpchar:
            return locale_ ? 0 : first_bytes(trim_blanks(value));
        case Kind::kInterval:
            return ordered(
                static_cast<std::int64_t>(interval_span(value) >> 10));  // 73 bits at most
        case Kind::kTimeTz:
            return ordered(time_tz(value).utc);
    }
    return 0;
}

int ValueOrder::compare(std::string_view a, std::string_view b) const {
    switch (kind_) {
        case Kind::kNumeric:
            return merge::compare(NumericView::parse(a), NumericView::parse(b));
        case Kind::kBytes:
            return locale_ ? compare_locale(a, b) : compare_bytes(a, b);
        case Kind::kBpchar:
            return locale_ ? compare_locale(trim_blanks(a), trim_blanks(b))
                           : compare_bytes(trim_blanks(a), trim_blanks(b));
        case Kind::kInterval:
            return three_way(interval_span(a), interval_span(b));
        case Kind::kTimeTz: {
            TimeTz left = time_tz(a);
            TimeTz right = time_tz(b);
            return left.utc != right.utc ? three_way(left.utc, right.utc)
                                         : three_way(left.zone, right.zone);
        }
        default:
            return three_way(prefix(a), prefix(b));
    }
}

// As varstr_cmp: what the locale calls equal is told apart by bytes.
int ValueOrder::compare_locale(std::string_view a, std::string_view b) const {
    thread_local std::string left;
    thread_local std::string right;
    left.assign(a);
    right.assign(b);
    int order = strcoll_l(left.c_str(), right.c_str(), locale_.get());
    return order != 0 ? order : compare_bytes(a, b);
}

void ValueOrder::append_identity(std::string_view value, std::string& out) const {
    switch (kind_) {
        case Kind::kBytes:
            out.append(value);
            return;
        case Kind::kBpchar:
            out.append(trim_blanks(value));
            return;
        case Kind::kNumeric: {
            NumericView view = NumericView::parse(value);
            out.push_back(static_cast<char>(view.kind));
            out.push_back(static_cast<char>(view.negative));
            append(static_cast<std::int32_t>(view.weight), out);
            out.append(view.at, static_cast<std::size_t>(view.groups) * sizeof(std::uint16_t));
            return;
        }
        case Kind::kInterval: {
            Int128 span = interval_span(value);
            append(static_cast<std::int64_t>(span >> 64), out);
            append(static_cast<std::int64_t>(span), out);
            return;
        }
        case Kind::kTimeTz:
            expect_size(value, 12);
            out.append(value);
            return;
        default:
            append(prefix(value), out);
    }
}

}  // namespace pgmosaic::merge
