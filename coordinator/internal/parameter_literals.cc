#include "coordinator/internal/parameter_literals.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "coordinator/internal/shard_statement.h"

namespace pgmosaic::coordinator {

namespace {

constexpr Oid kFloat4 = 700;
constexpr Oid kFloat8 = 701;

std::string shortest(double value) {
    std::array<char, 64> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    return std::string(text.data(), end);
}

std::string shortest(float value) {
    std::array<char, 64> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    return std::string(text.data(), end);
}

template <class Float, class Bits>
std::string float_text(std::string_view bytes) {
    Bits bits = 0;
    for (const char byte : bytes) bits = static_cast<Bits>(bits << 8) | static_cast<unsigned char>(byte);
    return shortest(std::bit_cast<Float>(bits));
}

/// The values as text: as they came, or as the home shard has written them. Floats are written here, for extra_float_digits may cut them.
std::string text_of(const wire::Bind& bind, std::size_t i, Oid type, const std::string& written) {
    const std::string_view bytes(bind.values[i].first, static_cast<std::size_t>(bind.values[i].second));
    if (bind.parameter_format(i) == wire::Format::kText) return std::string(bytes);
    if (type == kFloat8 && bytes.size() == 8) return float_text<double, std::uint64_t>(bytes);
    if (type == kFloat4 && bytes.size() == 4) return float_text<float, std::uint32_t>(bytes);
    return written;
}

}  // namespace

Task<ParameterLiterals> parameter_literals(Session& session, const Request& request) {
    const wire::Bind& bind = *request.bind;
    const std::size_t count = bind.values.size();
    const auto& described = request.prepared->description;
    std::string sql = "SELECT ";
    std::vector<Oid> types;
    for (std::size_t i = 0; i < count; ++i) {
        const Oid type = described && i < described->parameters.size() ? described->parameters[i] : 0;
        types.push_back(type);
        const std::string number = std::to_string(i + 1);
        sql += (i == 0 ? "" : ", ") + std::string("pg_catalog.format_type(") + std::to_string(type) + ", NULL), $" + number + "::pg_catalog.text";
    }
    Participant* home = co_await session.use_shard(session.home(), false);
    backend::Connection& connection = home->connection();
    wire::write_parse(connection.out(), "", sql, types);
    connection.unnamed_statement = 0;
    wire::FrameWriter(connection.out(), 'B').cstring("").cstring("").bytes(bind.parameters).int16(0);
    wire::write_execute(connection.out(), "", 0);
    wire::write_sync(connection.out());
    co_await connection.write();
    ShardReply reply(*home);
    std::vector<std::string> rows;
    co_await reply.collect(rows);
    if (reply.error()) throw_shard_error(session, session.home(), *reply.error());
    wire::Reader reader(rows.at(0));
    reader.int16();
    ParameterLiterals literals;
    for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t name_length = reader.int32();
        literals.types.emplace_back(reader.bytes(static_cast<std::size_t>(std::max(name_length, 0))));
        const std::int32_t length = reader.int32();
        const std::string written(reader.bytes(static_cast<std::size_t>(std::max(length, 0))));
        literals.values.push_back(bind.values[i].second < 0 ? "NULL" : planner::quote_literal(text_of(bind, i, types[i], written)));
    }
    co_return literals;
}

}  // namespace pgmosaic::coordinator
