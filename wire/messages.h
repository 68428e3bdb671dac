#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "wire/frame.h"

namespace pgmosaic::wire {

enum class Format : std::int16_t { kText = 0, kBinary = 1 };

/// The status byte of ReadyForQuery.
enum class TransactionStatus : char { kIdle = 'I', kInTransaction = 'T', kFailed = 'E' };

// ---------------------------------------------------------------- from client

/// Parse ('P').
struct Parse {
    std::string_view name;
    std::string_view sql;
    std::string_view types;  ///< int16 count, then int32 each; as it came
};
Parse read_parse(std::string_view body);
std::vector<Oid> read_types(std::string_view types);

/// Bind ('B'). `parameters` points at int16 format count … up to the end of the values, `result_formats` at the rest.
struct Bind {
    std::string_view portal;
    std::string_view statement;
    std::string_view tail;  ///< all behind the two names, as it came
    std::vector<Format> parameter_formats{};
    std::vector<std::pair<const char*, std::int32_t>> values{};  ///< length -1: NULL
    std::string_view parameters{};
    std::string_view result_formats_raw{};
    std::vector<Format> result_formats{};

    Format parameter_format(std::size_t i) const {
        if (parameter_formats.empty()) return Format::kText;
        return parameter_formats.size() == 1 ? parameter_formats[0] : parameter_formats[i];
    }
    Format result_format(std::size_t i) const {
        if (result_formats.empty()) return Format::kText;
        return result_formats.size() == 1 ? result_formats[0] : result_formats[i];
    }
};
void read_bind(std::string_view body, Bind& out);

// ---------------------------------------------------------------- to client

void write_error(std::string& out, const Error& error);
void write_notice(std::string& out, const Error& notice);
void write_ready(std::string& out, TransactionStatus status);
void write_parameter_status(std::string& out, std::string_view name, std::string_view value);
void write_command_complete(std::string& out, std::string_view tag);
inline void write_empty(std::string& out, char type) { FrameWriter(out, type); }

/// One column of a RowDescription.
struct Field {
    std::string name;
    Oid table = 0;
    std::int16_t attribute = 0;
    Oid type = 0;
    std::int16_t type_bytes = -1;
    std::int32_t typmod = -1;
    Format format = Format::kText;
};
void write_row_description(std::string& out, const std::vector<Field>& fields);
std::vector<Field> read_row_description(std::string_view body);
/// Text values; nullptr-like NULL is given by `nulls`.
void write_text_row(std::string& out, const std::vector<std::string>& values, const std::vector<bool>& nulls = {});

// ---------------------------------------------------------------- to server

void write_query(std::string& out, std::string_view sql);
void write_parse(std::string& out, std::string_view name, std::string_view sql, const std::vector<Oid>& types);
void write_describe(std::string& out, char what, std::string_view name);
void write_execute(std::string& out, std::string_view portal, std::int32_t rows_max);
void write_close(std::string& out, char what, std::string_view name);
inline void write_sync(std::string& out) { write_empty(out, 'S'); }
inline void write_flush(std::string& out) { write_empty(out, 'H'); }

// ---------------------------------------------------------------- from server

/// The fields of an ErrorResponse or NoticeResponse that we look at.
Error read_error(std::string_view body);
/// One field of an ErrorResponse ('C', 'M', 'R' …); empty if it is not there.
std::string_view error_field(std::string_view body, char field);
/// The message with `CONTEXT: shard NAME` added (or appended to the context that is there).
void write_error_with_context(std::string& out, char type, std::string_view body, std::string_view context);

/// The number at the end of a command tag ("INSERT 0 5" → 5); 0 if there is none.
std::uint64_t tag_rows(std::string_view tag);

// ---------------------------------------------------------------- startup

inline constexpr std::int32_t kProtocol3 = 196608;
inline constexpr std::int32_t kCancelRequest = 80877102;
inline constexpr std::int32_t kSslRequest = 80877103;
inline constexpr std::int32_t kGssEncRequest = 80877104;
/// PostgreSQL's own bound of a startup packet, without its length word.
inline constexpr std::size_t kStartupBytesMax = 10000;

/// A startup packet after its length and version: names and values until an empty name.
/// Errors: 08P01.
std::vector<std::pair<std::string, std::string>> read_startup_parameters(std::string_view body);

}  // namespace pgmosaic::wire
