#include <algorithm>
#include <charconv>

#include "coordinator/session.h"
#include "shardmap/hash.h"
#include "shardmap/key_types.h"

/// What the values of a statement decide, once they are known: which shards own its keys, and how many rows it wants.
namespace pgmosaic::coordinator {

std::optional<ShardId> Session::shard_of_value(GroupId group, Oid key_type, const planner::ValueRef& value,
                                               const Request& request) const {
    using From = planner::ValueRef::From;
    std::optional<Bucket> bucket;
    if (value.from == From::kParameter) {
        if (request.bind == nullptr || value.index == 0 || value.index > request.bind->values.size()) return std::nullopt;
        const auto& [data, length] = request.bind->values[value.index - 1];
        if (length < 0) return any_owner(group);  // NULL equals nothing: every shard gives the same answer
        const std::string_view bytes(data, static_cast<std::size_t>(length));
        const auto& described = request.prepared->description;
        const Oid type = described && value.index <= described->parameters.size() ? described->parameters[value.index - 1] : 0;
        if (request.bind->parameter_format(value.index - 1) == wire::Format::kBinary) {
            if (type == 0) return std::nullopt;
            bucket = shardmap::bucket_of_binary(key_type, type, bytes);
        } else {
            if (type != 0 && shardmap::key_family(key_type) != shardmap::key_family(type)) return std::nullopt;
            bucket = shardmap::bucket_of_text(key_type, bytes);
        }
        if (!utf8_ && !is_ascii(bytes)) return std::nullopt;
    } else {
        const planner::Literal& literal = value.from == From::kLiteral ? request.literals[value.index] : value.constant;
        if (literal.kind == planner::Literal::Kind::kNull) return any_owner(group);
        if (!utf8_ && !is_ascii(literal.value)) return std::nullopt;
        if (literal.negative) {
            bucket = shardmap::bucket_of_text(key_type, "-" + literal.value);
        } else {
            bucket = shardmap::bucket_of_text(key_type, literal.value);
        }
    }
    if (!bucket) return std::nullopt;
    return core_.map()->owner(group, *bucket);
}

bool Session::is_ascii(std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
}

ShardId Session::any_owner(GroupId group) const { return core_.map()->owner(group, Bucket{0}); }

std::optional<std::vector<ShardId>> Session::shards_of(GroupId group, Oid key_type, const planner::KeyAlternatives& key,
                                                       const Request& request) const {
    std::vector<ShardId> shards;
    for (const planner::ValueRef& value : key) {
        const auto shard = shard_of_value(group, key_type, value, request);
        if (!shard) return std::nullopt;
        if (std::find(shards.begin(), shards.end(), *shard) == shards.end()) shards.push_back(*shard);
    }
    std::sort(shards.begin(), shards.end());
    return shards;
}

std::vector<ShardId> Session::shards_of(const planner::Scatter& scatter, const Request& request) const {
    std::vector<ShardId> all = core_.map()->shard_ids();
    for (const planner::KeyAlternatives& key : scatter.prune) {
        const auto owners = shards_of(scatter.group, scatter.key_type, key, request);
        if (!owners) continue;
        std::vector<ShardId> both;
        std::set_intersection(all.begin(), all.end(), owners->begin(), owners->end(), std::back_inserter(both));
        all = std::move(both);
    }
    // No shard can have a row: one of them says so in PostgreSQL's words.
    if (all.empty()) all.push_back(home());
    return all;
}

std::optional<ShardId> Session::resolve(const planner::Route& route, const Request& request) const {
    using Where = planner::Route::Where;
    if (route.where == Where::kHome) return home();
    if (route.where == Where::kAny) {
        const auto& participants = transaction_.participants();
        return participants.empty() || participants.contains(home()) ? home() : participants.begin()->first;
    }
    std::optional<ShardId> shard;
    for (const planner::KeyAlternatives& key : route.keys) {
        for (const planner::ValueRef& value : key) {
            const auto owner = shard_of_value(route.group, route.key_type, value, request);
            if (!owner || (shard && *shard != *owner)) return std::nullopt;
            shard = owner;
        }
    }
    if (route.needs_home && shard && *shard != home()) return std::nullopt;
    return shard;
}

std::optional<std::int64_t> Session::count_of(const planner::CountRef& count, const Request& request) const {
    if (!count) return std::nullopt;
    using From = planner::ValueRef::From;
    std::string text;
    if (count->from == From::kParameter) {
        const auto& [data, length] = request.bind->values.at(count->index - 1);
        if (length < 0) return std::nullopt;
        text.assign(data, static_cast<std::size_t>(length));
        if (request.bind->parameter_format(count->index - 1) == wire::Format::kBinary) {
            std::int64_t value = 0;
            for (std::size_t i = 0; i < text.size(); ++i) {
                value = i == 0 ? static_cast<signed char>(text[0]) : (value << 8) | static_cast<unsigned char>(text[i]);
            }
            return value;
        }
    } else {
        const planner::Literal& literal = count->from == From::kLiteral ? request.literals[count->index] : count->constant;
        if (literal.kind == planner::Literal::Kind::kNull) return std::nullopt;
        text = (literal.negative ? "-" : "") + literal.value;
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw PgError(Error{.code = sqlstate::kInvalidTextRepresentation,
                            .message = "invalid input syntax for type bigint: \"" + text + "\""});
    }
    return value;
}

}  // namespace pgmosaic::coordinator
