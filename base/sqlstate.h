#pragma once

#include <array>
#include <compare>
#include <string_view>

namespace pgmosaic {

/// Five characters that tell the driver what to do next.
struct SqlState {
    std::array<char, 5> code{'X', 'X', '0', '0', '0'};

    constexpr SqlState() = default;
    constexpr explicit SqlState(std::string_view text) {
        for (std::size_t i = 0; i < code.size() && i < text.size(); ++i) code[i] = text[i];
    }
    constexpr std::string_view view() const { return {code.data(), code.size()}; }
    friend constexpr auto operator<=>(const SqlState&, const SqlState&) = default;
};

/// The one list of codes that we raise ourselves; a shard's errors pass unchanged.
namespace sqlstate {
inline constexpr SqlState kSuccess{"00000"};
inline constexpr SqlState kConnectionException{"08000"};
inline constexpr SqlState kConnectionFailure{"08006"};
inline constexpr SqlState kTransactionResolutionUnknown{"08007"};
inline constexpr SqlState kProtocolViolation{"08P01"};
inline constexpr SqlState kFeatureNotSupported{"0A000"};
inline constexpr SqlState kInvalidRowCountInLimit{"2201W"};
inline constexpr SqlState kInvalidRowCountInOffset{"2201X"};
inline constexpr SqlState kInvalidParameterValue{"22023"};
inline constexpr SqlState kNullValueNotAllowed{"22004"};
inline constexpr SqlState kNumericValueOutOfRange{"22003"};
inline constexpr SqlState kInvalidTextRepresentation{"22P02"};
inline constexpr SqlState kBadCopyFileFormat{"22P04"};
inline constexpr SqlState kNotNullViolation{"23502"};
inline constexpr SqlState kUniqueViolation{"23505"};
inline constexpr SqlState kInvalidCursorState{"24000"};
inline constexpr SqlState kActiveSqlTransaction{"25001"};
inline constexpr SqlState kReadOnlySqlTransaction{"25006"};
inline constexpr SqlState kNoActiveSqlTransaction{"25P01"};
inline constexpr SqlState kInFailedSqlTransaction{"25P02"};
inline constexpr SqlState kIdleInTransactionSessionTimeout{"25P03"};
inline constexpr SqlState kInvalidSqlStatementName{"26000"};
inline constexpr SqlState kInvalidAuthorization{"28000"};
inline constexpr SqlState kInvalidPassword{"28P01"};
inline constexpr SqlState kInvalidCursorName{"34000"};
inline constexpr SqlState kInvalidSavepoint{"3B001"};
inline constexpr SqlState kInvalidCatalogName{"3D000"};
inline constexpr SqlState kSerializationFailure{"40001"};
inline constexpr SqlState kDeadlockDetected{"40P01"};
inline constexpr SqlState kSyntaxError{"42601"};
inline constexpr SqlState kInsufficientPrivilege{"42501"};
inline constexpr SqlState kInvalidTableDefinition{"42P16"};
inline constexpr SqlState kUndefinedColumn{"42703"};
inline constexpr SqlState kUndefinedObject{"42704"};
inline constexpr SqlState kDuplicateObject{"42710"};
inline constexpr SqlState kUndefinedFunction{"42883"};
inline constexpr SqlState kUndefinedTable{"42P01"};
inline constexpr SqlState kDuplicateDatabase{"42P04"};
inline constexpr SqlState kDuplicatePreparedStatement{"42P05"};
inline constexpr SqlState kDuplicateCursor{"42P03"};
inline constexpr SqlState kInvalidObjectDefinition{"42P17"};
inline constexpr SqlState kWrongObjectType{"42809"};
inline constexpr SqlState kDiskFull{"53100"};
inline constexpr SqlState kOutOfMemory{"53200"};
inline constexpr SqlState kTooManyConnections{"53300"};
inline constexpr SqlState kConfigurationLimitExceeded{"53400"};
inline constexpr SqlState kProgramLimitExceeded{"54000"};
inline constexpr SqlState kObjectInUse{"55006"};
inline constexpr SqlState kObjectNotInPrerequisiteState{"55000"};
inline constexpr SqlState kQueryCanceled{"57014"};
inline constexpr SqlState kAdminShutdown{"57P01"};
inline constexpr SqlState kCannotConnectNow{"57P03"};
inline constexpr SqlState kIdleSessionTimeout{"57P05"};
inline constexpr SqlState kIoError{"58030"};
inline constexpr SqlState kUndefinedFile{"58P01"};
inline constexpr SqlState kConfigFileError{"F0000"};
inline constexpr SqlState kInternalError{"XX000"};
inline constexpr SqlState kDataCorrupted{"XX001"};

/// Whether the object is there already, also when it was made while the failed statement waited: a unique catalog index says that.
constexpr bool is_duplicate_object(SqlState code) {
    return code == kDuplicateObject || code == kDuplicateDatabase || code == kUniqueViolation;
}
}  // namespace sqlstate

}  // namespace pgmosaic
