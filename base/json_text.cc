#include "base/json_text.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

namespace pgmosaic {

namespace {

namespace json = boost::json;

/// What stands before each item of a list, and before its end.
struct Layout {
    bool lines = false;
    std::string indent{};

    Layout inner() const { return {lines, lines ? indent + "  " : std::string()}; }
    std::string item(bool first) const {
        if (lines) return (first ? "\n" : ",\n") + indent + "  ";
        return first ? "" : ", ";
    }
    std::string end() const { return lines ? "\n" + indent : std::string(); }
};

void append(const json::value& value, const Layout& layout, std::string& out);

template <class Items, class Append>
void append_list(char open, char close, const Items& items, const Layout& layout, std::string& out, const Append& append_item) {
    out += open;
    bool first = true;
    for (const auto& item : items) {
        out += layout.item(first);
        append_item(item);
        first = false;
    }
    if (!first) out += layout.end();
    out += close;
}

void append(const json::value& value, const Layout& layout, std::string& out) {
    const Layout inner = layout.inner();
    if (const auto* object = value.if_object()) {
        append_list('{', '}', *object, layout, out, [&](const json::key_value_pair& member) {
            out += json::serialize(json::string(member.key())) + ": ";
            append(member.value(), inner, out);
        });
    } else if (const auto* array = value.if_array()) {
        append_list('[', ']', *array, layout, out, [&](const json::value& item) { append(item, inner, out); });
    } else {
        out += json_scalar(value);
    }
}

}  // namespace

std::string json_scalar(const json::value& value) {
    return value.is_double() ? fmt::format("{}", value.get_double()) : json::serialize(value);
}

std::string json_line(const json::value& value) {
    std::string out;
    append(value, Layout{}, out);
    return out;
}

std::string json_indented(const json::value& value) {
    std::string out;
    append(value, Layout{.lines = true}, out);
    return out;
}

}  // namespace pgmosaic
