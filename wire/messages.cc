#include "wire/messages.h"

#include <charconv>

#include "wire/reader.h"

namespace pgmosaic::wire {

namespace {

[[noreturn]] void violation(const char* message) {
    throw PgError(Error{.code = sqlstate::kProtocolViolation, .message = message});
}

Format to_format(std::int16_t code) {
    if (code != 0 && code != 1) {
        throw PgError(Error{.code = sqlstate::kInvalidParameterValue,
                            .message = "unsupported format code: " + std::to_string(code)});
    }
    return static_cast<Format>(code);
}

void read_formats(Reader& reader, std::vector<Format>& formats) {
    const std::int16_t count = reader.int16();
    if (count < 0) violation("invalid message format");
    for (std::int16_t i = 0; i < count; ++i) formats.push_back(to_format(reader.int16()));
}

void write_fields(std::string& out, char type, const Error& error) {
    FrameWriter frame(out, type);
    const auto field = [&](char code, std::string_view value) {
        if (!value.empty()) frame.int8(static_cast<std::uint8_t>(code)).cstring(value);
    };
    field('S', error.severity);
    field('V', error.severity);
    field('C', error.code.view());
    field('M', error.message.empty() ? std::string_view("unknown error") : std::string_view(error.message));
    field('D', error.detail);
    field('H', error.hint);
    if (error.position > 0) field('P', std::to_string(error.position));
    field('W', error.context);
    // PostgreSQL always says where it was: clients may count on the fields, and psql's \errverbose tells our errors from a server's.
    field('F', "pgmosaic");
    field('L', "0");
    field('R', "endpoint");
    frame.int8(0);
}

}  // namespace

Parse read_parse(std::string_view body) {
    Reader reader(body);
    Parse parse;
    parse.name = reader.cstring();
    parse.sql = reader.cstring();
    parse.types = reader.rest();
    const std::int16_t count = reader.int16();
    if (count < 0) violation("invalid message format");
    reader.bytes(std::size_t{4} * static_cast<std::size_t>(count));
    reader.expect_end();
    return parse;
}

std::vector<Oid> read_types(std::string_view types) {
    Reader reader(types);
    std::vector<Oid> oids(static_cast<std::size_t>(reader.int16()));
    for (Oid& oid : oids) oid = static_cast<Oid>(reader.int32());
    return oids;
}

void read_bind(std::string_view body, Bind& out) {
    Reader reader(body);
    out.parameter_formats.clear();
    out.values.clear();
    out.result_formats.clear();
    out.portal = reader.cstring();
    out.statement = reader.cstring();
    out.tail = reader.rest();
    const char* parameters_begin = out.tail.data();
    read_formats(reader, out.parameter_formats);
    const std::int16_t count = reader.int16();
    if (count < 0) violation("invalid message format");
    for (std::int16_t i = 0; i < count; ++i) {
        const std::int32_t length = reader.int32();
        if (length < -1) violation("invalid message format");
        const std::string_view value = length < 0 ? std::string_view{} : reader.bytes(static_cast<std::size_t>(length));
        out.values.emplace_back(value.data(), length);
    }
    if (out.parameter_formats.size() > 1 && out.parameter_formats.size() != out.values.size()) {
        violation("bind message has a number of parameter formats that differs from its parameters");
    }
    out.parameters = {parameters_begin, static_cast<std::size_t>(reader.rest().data() - parameters_begin)};
    out.result_formats_raw = reader.rest();
    read_formats(reader, out.result_formats);
    reader.expect_end();
}

void write_error(std::string& out, const Error& error) { write_fields(out, 'E', error); }
void write_notice(std::string& out, const Error& notice) { write_fields(out, 'N', notice); }

void write_ready(std::string& out, TransactionStatus status) {
    FrameWriter(out, 'Z').int8(static_cast<std::uint8_t>(status));
}

void write_parameter_status(std::string& out, std::string_view name, std::string_view value) {
    FrameWriter(out, 'S').cstring(name).cstring(value);
}

void write_command_complete(std::string& out, std::string_view tag) { FrameWriter(out, 'C').cstring(tag); }

void write_row_description(std::string& out, const std::vector<Field>& fields) {
    FrameWriter frame(out, 'T');
    frame.int16(static_cast<std::int32_t>(fields.size()));
    for (const Field& field : fields) {
        frame.cstring(field.name).int32(field.table).int16(field.attribute).int32(field.type);
        frame.int16(field.type_bytes).int32(field.typmod).int16(static_cast<std::int32_t>(field.format));
    }
}

std::vector<Field> read_row_description(std::string_view body) {
    Reader reader(body);
    std::vector<Field> fields(static_cast<std::uint16_t>(reader.int16()));
    for (Field& field : fields) {
        field.name = reader.cstring();
        field.table = static_cast<Oid>(reader.int32());
        field.attribute = reader.int16();
        field.type = static_cast<Oid>(reader.int32());
        field.type_bytes = reader.int16();
        field.typmod = reader.int32();
        field.format = to_format(reader.int16());
    }
    return fields;
}

void write_text_row(std::string& out, const std::vector<std::string>& values, const std::vector<bool>& nulls) {
    FrameWriter frame(out, 'D');
    frame.int16(static_cast<std::int32_t>(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i < nulls.size() && nulls[i]) {
            frame.int32(-1);
        } else {
            frame.int32(static_cast<std::int64_t>(values[i].size())).bytes(values[i]);
        }
    }
}

void write_query(std::string& out, std::string_view sql) { FrameWriter(out, 'Q').cstring(sql); }

void write_parse(std::string& out, std::string_view name, std::string_view sql, const std::vector<Oid>& types) {
    FrameWriter frame(out, 'P');
    frame.cstring(name).cstring(sql).int16(static_cast<std::int32_t>(types.size()));
    for (Oid oid : types) frame.int32(oid);
}

void write_describe(std::string& out, char what, std::string_view name) {
    FrameWriter(out, 'D').int8(static_cast<std::uint8_t>(what)).cstring(name);
}

void write_execute(std::string& out, std::string_view portal, std::int32_t rows_max) {
    FrameWriter(out, 'E').cstring(portal).int32(rows_max);
}

void write_close(std::string& out, char what, std::string_view name) {
    FrameWriter(out, 'C').int8(static_cast<std::uint8_t>(what)).cstring(name);
}

std::string_view error_field(std::string_view body, char field) {
    while (!body.empty() && body[0] != '\0') {
        const std::size_t end = body.find('\0', 1);
        if (end == std::string_view::npos) break;
        if (body[0] == field) return body.substr(1, end - 1);
        body.remove_prefix(end + 1);
    }
    return {};
}

Error read_error(std::string_view body) {
    Error error;
    error.code = SqlState(error_field(body, 'C'));
    error.message = error_field(body, 'M');
    error.detail = error_field(body, 'D');
    error.hint = error_field(body, 'H');
    error.context = error_field(body, 'W');
    error.severity = error_field(body, 'V');
    const std::string_view position = error_field(body, 'P');
    std::from_chars(position.data(), position.data() + position.size(), error.position);
    return error;
}

void write_error_with_context(std::string& out, char type, std::string_view body, std::string_view context) {
    FrameWriter frame(out, type);
    bool added = false;
    while (!body.empty() && body[0] != '\0') {
        const std::size_t end = body.find('\0', 1);
        if (end == std::string_view::npos) break;
        frame.bytes(body.substr(0, end));
        if (body[0] == 'W') {
            frame.bytes("\n").bytes(context);
            added = true;
        }
        frame.int8(0);
        body.remove_prefix(end + 1);
    }
    if (!added) frame.int8('W').cstring(context);
    frame.int8(0);
}

std::uint64_t tag_rows(std::string_view tag) {
    const std::size_t blank = tag.rfind(' ');
    if (blank == std::string_view::npos) return 0;
    std::uint64_t rows = 0;
    std::from_chars(tag.data() + blank + 1, tag.data() + tag.size(), rows);
    return rows;
}

std::vector<std::pair<std::string, std::string>> read_startup_parameters(std::string_view body) {
    Reader reader(body);
    std::vector<std::pair<std::string, std::string>> parameters;
    while (true) {
        const std::string_view name = reader.cstring();
        if (name.empty()) break;
        parameters.emplace_back(name, reader.cstring());
    }
    if (!reader.empty()) violation("invalid startup packet layout: expected terminator as last byte");
    return parameters;
}

}  // namespace pgmosaic::wire
