#include <algorithm>

#include "base/error.h"
#include "coordinator/internal/copy_split.h"
#include "wire/frame.h"

/// COPY's binary format:
///
///   head     offset 0  "PGCOPY\n\377\r\n\0", 11 bytes · 11  flags, 4 bytes · 15  length of the extension, 4 bytes · 19  extension
///   tuple    offset 0  number of fields, 2 bytes; then each field: length, 4 bytes (-1: NULL) and its bytes
///   trailer  offset 0  -1, 2 bytes
namespace pgmosaic::coordinator {

namespace {

constexpr std::string_view kSignature{"PGCOPY\n\377\r\n\0", 11};
constexpr std::size_t kHeadBytes = 19;

[[noreturn]] void bad_binary(std::string message) {
    throw PgError(Error{.code = sqlstate::kBadCopyFileFormat, .message = std::move(message)});
}

}  // namespace

bool CopySplitter::find_head_end(std::size_t& end) {
    const std::string_view rest = data_.substr(start_);
    const std::size_t known = std::min(rest.size(), kSignature.size());
    if (rest.substr(0, known) != kSignature.substr(0, known) || (finished_ && known < kSignature.size())) {
        bad_binary("COPY file signature not recognized");
    }
    if (rest.size() < kHeadBytes) {
        if (finished_) bad_binary("invalid COPY file header (missing length)");
        return false;
    }
    const auto extension = static_cast<std::int32_t>(wire::read_uint32(rest.data() + 15));
    if (extension < 0) bad_binary("invalid COPY file header (missing length)");
    end = start_ + kHeadBytes + static_cast<std::size_t>(extension);
    if (end <= data_.size()) return true;
    if (finished_) bad_binary("invalid COPY file header (wrong length)");
    return false;
}

/// Goes on where it stopped for lack of data; `scan_` is always at a count or at a field's length word.
bool CopySplitter::find_tuple_end(std::size_t& end, CopyRow& row) {
    if (fields_left_ < 0) {
        if (data_.size() - scan_ < 2) return false;
        fields_ = static_cast<std::int16_t>(wire::read_uint16(data_.data() + scan_));
        if (fields_ < -1) bad_binary("row field count is " + std::to_string(fields_));
        scan_ += 2;
        fields_left_ = fields_ == -1 ? 0 : fields_;
        if (fields_ == -1) row.kind = CopyRow::Kind::kEnd;
    }
    for (; fields_left_ > 0; --fields_left_) {
        if (data_.size() - scan_ < 4) return false;
        const auto length = static_cast<std::int32_t>(wire::read_uint32(data_.data() + scan_));
        if (length < -1) bad_binary("invalid field size");
        const std::size_t bytes = 4 + (length < 0 ? 0 : static_cast<std::size_t>(length));
        if (data_.size() - scan_ < bytes) return false;
        if (fields_ - fields_left_ == options_.key_field) key_at_ = scan_ - start_;
        scan_ += bytes;
    }
    end = scan_;
    fields_left_ = -1;
    return true;
}

bool CopySplitter::next_binary(CopyRow& row) {
    std::size_t end = 0;
    if (!head_passed_) {
        if (!find_head_end(end)) return false;
        head_passed_ = true;
        row = {.kind = CopyRow::Kind::kHeader, .bytes = data_.substr(start_, end - start_), .lines = 0};
        start_ = scan_ = end;
        return true;
    }
    if (!find_tuple_end(end, row)) {
        if (!finished_ || start_ >= data_.size()) return false;
        end = data_.size();  // cut off within a tuple: the shard that gets it says so
        key_at_ = kNone;
    }
    row.bytes = data_.substr(start_, end - start_);
    if (row.kind == CopyRow::Kind::kEnd) {
        row.lines = 0;
        ended_ = true;
    } else if (key_at_ != kNone) {
        const auto length = static_cast<std::int32_t>(wire::read_uint32(row.bytes.data() + key_at_));
        row.key_state = length < 0 ? CopyRow::Key::kNull : CopyRow::Key::kValue;
        if (length > 0) row.key = row.bytes.substr(key_at_ + 4, static_cast<std::size_t>(length));
    }
    key_at_ = kNone;
    start_ = scan_ = end;
    return true;
}

}  // namespace pgmosaic::coordinator
