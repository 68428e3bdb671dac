#include "coordinator/admin/answer_rows.h"

#include <charconv>

namespace pgmosaic::coordinator {

namespace {

std::int16_t bytes_of(Oid type) {
    switch (type) {
        case kBoolType: return 1;
        case kIntegerType:
        case kVoidType: return 4;
        case kBigintType: return 8;
        default: return -1;
    }
}

std::int64_t number_of(const std::string& text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// The value in PostgreSQL's binary format; text is its own.
std::string binary_of(Oid type, const std::string& text) {
    std::string bytes;
    switch (type) {
        case kBoolType: bytes.push_back(text == "t" ? '\1' : '\0'); break;
        case kIntegerType: wire::put_int32(bytes, number_of(text)); break;
        case kBigintType:
            wire::put_int32(bytes, number_of(text) >> 32);
            wire::put_int32(bytes, number_of(text) & 0xFFFFFFFF);
            break;
        default: bytes = text;
    }
    return bytes;
}

void write_row(std::string& out, const Request& request, const std::vector<AnswerColumn>& columns, const AnswerRow& row) {
    wire::FrameWriter frame(out, 'D');
    frame.int16(static_cast<std::int32_t>(columns.size()));
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (!row[i]) {
            frame.int32(-1);
            continue;
        }
        const bool binary = request.bind != nullptr && request.bind->result_format(i) == wire::Format::kBinary;
        const std::string bytes = binary ? binary_of(columns[i].type, *row[i]) : *row[i];
        frame.int32(static_cast<std::int64_t>(bytes.size())).bytes(bytes);
    }
}

}  // namespace

std::shared_ptr<const Description> description_of(const std::vector<AnswerColumn>& columns, std::uint32_t parameters) {
    auto description = std::make_shared<Description>();
    description->parameters.assign(parameters, kTextType);
    description->returns_rows = true;
    for (const AnswerColumn& column : columns) {
        description->fields.push_back({.name = column.name, .type = column.type, .type_bytes = bytes_of(column.type)});
    }
    return description;
}

void write_answer(Session& session, const Request& request, const std::vector<AnswerColumn>& columns,
                  const std::vector<AnswerRow>& rows, std::string tag) {
    if (request.simple()) wire::write_row_description(session.answer(), description_of(columns, 0)->fields);
    for (const AnswerRow& row : rows) write_row(session.answer(), request, columns, row);
    session.complete(request, std::move(tag));
}

}  // namespace pgmosaic::coordinator
