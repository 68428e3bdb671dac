#include "coordinator/merge/internal/row.h"

#include "base/error.h"
#include "coordinator/merge/internal/bytes.h"

namespace pgmosaic::merge {
namespace {

constexpr std::size_t kLengthBytes = 4;

[[noreturn]] void malformed_row() {
    throw PgError(Error{.code = sqlstate::kProtocolViolation,
                        .message = "invalid row from a shard",
                        .detail = "The row does not have the columns that the plan expects."});
}

// The end of the value at `at`; its bytes go to `value`.
std::size_t step(std::string_view body, std::size_t at, Value& value) {
    if (body.size() - at < kLengthBytes) malformed_row();
    auto length = load<std::int32_t>(body.data() + at);
    at += kLengthBytes;
    if (length < 0) {
        value.reset();
        return at;
    }
    if (body.size() - at < static_cast<std::size_t>(length)) malformed_row();
    value = body.substr(at, static_cast<std::size_t>(length));
    return at + static_cast<std::size_t>(length);
}

void check_count(std::string_view body, std::size_t columns) {
    if (body.size() < kCountBytes || load<std::uint16_t>(body.data()) != columns) malformed_row();
}

}  // namespace

std::size_t RowLayout::check(std::string_view body) const {
    check_count(body, columns());
    std::size_t at = kCountBytes;
    std::size_t hidden_at = at;
    Value value;
    for (std::size_t i = 0; i < columns(); ++i) {
        at = step(body, at, value);
        if (i + 1 == visible) hidden_at = at;
    }
    if (at != body.size()) malformed_row();
    return hidden_at;
}

void RowLayout::read(std::string_view body, std::vector<Value>& values) const {
    check_count(body, columns());
    values.resize(columns());
    std::size_t at = kCountBytes;
    for (Value& value : values) at = step(body, at, value);
    if (at != body.size()) malformed_row();
}

Value value_after(const char* at, std::size_t index) {
    for (;; --index) {
        auto length = load<std::int32_t>(at);
        at += kLengthBytes;
        if (index == 0 && length < 0) return std::nullopt;
        if (index == 0) return std::string_view(at, static_cast<std::size_t>(length));
        if (length > 0) at += length;
    }
}

void append_frame(std::uint16_t columns, std::string_view values, std::string& out) {
    char head[7] = {'D'};
    store(static_cast<std::uint32_t>(kLengthBytes + kCountBytes + values.size()), head + 1);
    store(columns, head + 5);
    out.append(head, sizeof head);
    out.append(values);
}

FrameWriter::FrameWriter(std::uint16_t columns, std::string& out) : out_(out), begin_(out.size()) {
    out_.append("D\0\0\0\0", 5);
    append(columns, out_);
}

void FrameWriter::value(const Value& value) {
    append(value ? static_cast<std::int32_t>(value->size()) : std::int32_t{-1}, out_);
    if (value) out_.append(*value);
}

void FrameWriter::finish() {
    store(static_cast<std::uint32_t>(out_.size() - begin_ - 1), out_.data() + begin_ + 1);
}

}  // namespace pgmosaic::merge
