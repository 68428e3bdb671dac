#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// Object identifiers of the types of our own answers; fixed for ever by PostgreSQL (pg_type.dat).
inline constexpr Oid kBoolType = 16;
inline constexpr Oid kBigintType = 20;
inline constexpr Oid kIntegerType = 23;
inline constexpr Oid kTextType = 25;
inline constexpr Oid kVoidType = 2278;

struct AnswerColumn {
    std::string name{};
    Oid type = kTextType;
};

/// A row of an answer, each value as PostgreSQL prints it; nullopt is NULL.
using AnswerRow = std::vector<std::optional<std::string>>;

std::shared_ptr<const Description> description_of(const std::vector<AnswerColumn>& columns, std::uint32_t parameters);

/// Writes a whole answer of our own in the session's protocol, in the formats that the client asked for.
void write_answer(Session& session, const Request& request, const std::vector<AnswerColumn>& columns,
                  const std::vector<AnswerRow>& rows, std::string tag);

}  // namespace pgmosaic::coordinator
