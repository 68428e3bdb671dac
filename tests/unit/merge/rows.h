#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/merge/internal/bytes.h"
#include "coordinator/merge/internal/row.h"
#include "coordinator/merge/merger.h"
#include "planner/merge_types.h"

namespace pgmosaic::merge::testing {

using Field = std::optional<std::string>;
using Row = std::vector<Field>;
namespace type = planner::type;

template <class Int>
Field binary(Int value) {
    std::string out;
    append(value, out);
    return out;
}
inline Field binary(double value) {
    return binary(std::bit_cast<std::uint64_t>(value));
}
inline Field binary(float value) {
    return binary(std::bit_cast<std::uint32_t>(value));
}

/// A numeric's binary format from its text: "-12.340", "NaN", "Infinity".
inline std::string numeric(std::string_view text) {
    std::string out;
    auto head = [&](std::uint16_t groups, std::int16_t weight, std::uint16_t sign,
                    std::uint16_t dscale) {
        append(groups, out);
        append(weight, out);
        append(sign, out);
        append(dscale, out);
    };
    if (text == "NaN") return head(0, 0, 0xC000, 0), out;
    if (text == "Infinity") return head(0, 0, 0xD000, 0), out;
    if (text == "-Infinity") return head(0, 0, 0xF000, 0), out;
    bool negative = text.front() == '-';
    if (negative) text.remove_prefix(1);
    std::size_t point = text.find('.');
    std::string whole(text.substr(0, point));
    std::string fraction(point == text.npos ? "" : text.substr(point + 1));
    auto dscale = static_cast<std::uint16_t>(fraction.size());
    whole.insert(0, (4 - whole.size() % 4) % 4, '0');
    fraction.append((4 - fraction.size() % 4) % 4, '0');
    std::string digits = whole + fraction;
    int weight = static_cast<int>(whole.size() / 4) - 1;
    std::vector<std::uint16_t> groups;
    for (std::size_t i = 0; i < digits.size(); i += 4) {
        groups.push_back(static_cast<std::uint16_t>(std::stoi(digits.substr(i, 4))));
    }
    while (!groups.empty() && groups.front() == 0) {
        groups.erase(groups.begin());
        --weight;
    }
    while (!groups.empty() && groups.back() == 0) groups.pop_back();
    if (groups.empty()) weight = 0;
    head(static_cast<std::uint16_t>(groups.size()), static_cast<std::int16_t>(weight),
         negative && !groups.empty() ? 0x4000 : 0, dscale);
    for (std::uint16_t group : groups) append(group, out);
    return out;
}

inline std::string body(const Row& row) {
    std::string out;
    append(static_cast<std::uint16_t>(row.size()), out);
    for (const Field& field : row) {
        append(field ? static_cast<std::int32_t>(field->size()) : -1, out);
        if (field) out += *field;
    }
    return out;
}

/// Takes complete DataRow frames apart.
inline std::vector<Row> frames(std::string_view bytes) {
    std::vector<Row> rows;
    while (!bytes.empty()) {
        auto length = load<std::uint32_t>(bytes.data() + 1);
        std::string_view frame = bytes.substr(5, length - 4);
        RowLayout layout{load<std::uint16_t>(frame.data()), 0};
        std::vector<Value> values;
        layout.read(frame, values);
        Row& row = rows.emplace_back();
        for (const Value& value : values) row.push_back(value ? Field(*value) : std::nullopt);
        bytes.remove_prefix(1 + length);
    }
    return rows;
}

/// Feeds all inputs in turns, as far as they are wanted, and drains in small steps.
inline std::vector<Row> run(Merger& merger, const std::vector<std::vector<Row>>& inputs,
                            std::size_t step_bytes = 40) {
    std::string out;
    std::vector<std::size_t> next(inputs.size());
    std::vector<bool> done(inputs.size());
    for (bool moved = true; moved;) {
        moved = false;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (done[i] || !merger.wants(i)) continue;
            moved = true;
            if (next[i] < inputs[i].size()) {
                merger.row(i, body(inputs[i][next[i]++]));
            } else {
                merger.input_done(i);
                done[i] = true;
            }
        }
        std::size_t before = out.size();
        merger.drain(out, step_bytes);
        moved = moved || out.size() > before;
    }
    return frames(out);
}

}  // namespace pgmosaic::merge::testing
