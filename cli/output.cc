#include "cli/output.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>

#include "base/json_text.h"

namespace pgmosaic::cli {

namespace {

namespace json = boost::json;

// pg_type.dat
constexpr unsigned kBool = 16;
constexpr unsigned kInt8 = 20;
constexpr unsigned kInt2 = 21;
constexpr unsigned kInt4 = 23;
constexpr unsigned kJson = 114;
constexpr unsigned kFloat8 = 701;
constexpr unsigned kJsonb = 3802;

json::value typed_value(const node::SqlValue& value, unsigned type) {
    if (!value) return nullptr;
    boost::system::error_code failure;
    switch (type) {
        case kBool: return *value == "t";
        case kInt2:
        case kInt4:
        case kInt8:
        case kFloat8:
        case kJson:
        case kJsonb: {
            json::value parsed = json::parse(*value, failure);
            if (!failure) return parsed;  // NaN and Infinity are not JSON
            break;
        }
        default: break;
    }
    return json::string(*value);
}

json::array to_objects(const node::SqlRows& rows) {
    json::array objects;
    for (const std::vector<node::SqlValue>& row : rows.rows) {
        json::object object;
        for (std::size_t i = 0; i < row.size(); ++i) object[rows.columns[i]] = typed_value(row[i], rows.types[i]);
        objects.push_back(std::move(object));
    }
    return objects;
}

std::string csv_field(const node::SqlValue& value) {
    if (!value) return "";
    if (!value->empty() && value->find_first_of(",\"\r\n") == std::string::npos) return *value;
    std::string quoted = "\"";
    for (char c : *value) {
        if (c == '"') quoted += c;
        quoted += c;
    }
    return quoted + "\"";
}

std::string to_csv(const node::SqlRows& rows) {
    std::string text;
    const auto line = [&text](const auto& fields) {
        for (std::size_t i = 0; i < fields.size(); ++i) text += (i == 0 ? "" : ",") + csv_field(fields[i]);
        text += '\n';
    };
    line(rows.columns);
    for (const auto& row : rows.rows) line(row);
    return text;
}

std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

bool is_number(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

void emit(YAML::Emitter& out, const json::value& value) {
    if (const auto* object = value.if_object()) {
        out << (object->empty() ? YAML::Flow : YAML::Block) << YAML::BeginMap;
        for (const auto& member : *object) {
            out << YAML::Key << std::string(member.key()) << YAML::Value;
            emit(out, member.value());
        }
        out << YAML::EndMap;
    } else if (const auto* array = value.if_array()) {
        out << (array->empty() ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
        for (const json::value& item : *array) emit(out, item);
        out << YAML::EndSeq;
    } else if (const auto* text = value.if_string()) {
        // Quoted, or "0/3000148", "true" and "1" would be read as something else by the next program.
        out << YAML::DoubleQuoted << std::string(*text);
    } else if (value.is_null()) {
        out << YAML::Null;
    } else {
        out << json_scalar(value);
    }
}

}  // namespace

std::string format_table(const std::vector<std::string>& columns, const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    std::vector<bool> numbers(columns.size(), !rows.empty());
    for (const std::string& column : columns) widths.push_back(width_of(column));
    for (const std::vector<std::string>& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], width_of(row[i]));
            numbers[i] = numbers[i] && (is_number(row[i]) || row[i].empty());
        }
    }
    std::string text;
    const auto line = [&](const std::vector<std::string>& cells) {
        std::string out;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const std::string blanks(widths[i] - width_of(cells[i]), ' ');
            out += (i == 0 ? "" : "  ") + (numbers[i] ? blanks + cells[i] : cells[i] + blanks);
        }
        while (!out.empty() && out.back() == ' ') out.pop_back();
        text += out + '\n';
    };
    line(columns);
    for (const std::vector<std::string>& row : rows) line(row);
    return text;
}

std::string format_rows(const node::SqlRows& rows, Format format, std::size_t narrow) {
    switch (format) {
        case Format::kJson: return format_json(to_objects(rows));
        case Format::kYaml: return format_yaml(to_objects(rows));
        case Format::kCsv: return to_csv(rows);
        case Format::kTable:
        case Format::kWide: break;
    }
    const bool all = format == Format::kWide || narrow == 0 || narrow > rows.columns.size();
    const std::size_t shown = all ? rows.columns.size() : narrow;
    std::vector<std::string> columns(rows.columns.begin(), rows.columns.begin() + static_cast<std::ptrdiff_t>(shown));
    std::vector<std::vector<std::string>> cells;
    for (const std::vector<node::SqlValue>& row : rows.rows) {
        std::vector<std::string> line;
        for (std::size_t i = 0; i < shown; ++i) line.push_back(row[i].value_or(""));
        cells.push_back(std::move(line));
    }
    for (std::string& column : columns) {
        std::transform(column.begin(), column.end(), column.begin(), [](unsigned char c) { return std::toupper(c); });
    }
    return format_table(columns, cells);
}

std::string format_yaml(const json::value& value) {
    YAML::Emitter out;
    emit(out, value);
    return std::string(out.c_str()) + "\n";
}

std::string format_json(const json::value& value) { return json_indented(value) + "\n"; }

std::string human_bytes(double bytes) {
    const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    for (; bytes >= 1024 && unit + 1 < std::size(units); ++unit) bytes /= 1024;
    return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

}  // namespace pgmosaic::cli
