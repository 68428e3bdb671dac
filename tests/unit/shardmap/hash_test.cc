#include "shardmap/hash.h"

#include <gtest/gtest.h>

#include <string>

namespace pgmosaic::shardmap {
namespace {

struct Recorded {
    Oid type;
    std::string_view text;
    int bucket;
};

// Recorded from PostgreSQL 15: SELECT hash_record_extended(ROW(v), 8816678312871386365) & 65535.
constexpr Recorded kRecorded[] = {
    {kInt4Oid, "0", 61645},
    {kInt4Oid, "1", 59093},
    {kInt4Oid, "-1", 1730},
    {kInt2Oid, "42", 45439},
    {kInt8Oid, "42", 45439},
    {kInt4Oid, "2147483647", 63644},
    {kInt4Oid, "-2147483648", 37267},
    {kInt8Oid, "9223372036854775807", 37267},
    {kInt8Oid, "-9223372036854775808", 63644},
    {kInt8Oid, "5000000000", 55021},
    {kInt8Oid, "-5000000000", 1000},
    {kTextOid, "", 49091},
    {kTextOid, "a", 42619},
    {kVarcharOid, "hello", 33457},
    {kTextOid, "hello world!", 26617},
    {kTextOid, "hello world!!", 38560},
    {kTextOid, "ünïcødé", 17920},
    {kTextOid, "a much longer text, of more than two rounds", 6426},
    {kBpcharOid, "ab  ", 62269},
    {kBpcharOid, "ab", 62269},
    {kUuidOid, "00000000-0000-0000-0000-000000000000", 37570},
    {kUuidOid, "F47AC10B-58cc-4372-a567-0e02b2c3d479", 47239},
    {kDateOid, "2000-01-01", 61645},
    {kDateOid, "2024-02-29", 5124},
    {kDateOid, "0001-01-01", 41576},
    {kDateOid, "9999-12-31", 27516},
    {kDateOid, "infinity", 63644},
    {kDateOid, "-infinity", 37267},
    {kTimestampOid, "2000-01-01 00:00:00", 61645},
    {kTimestampOid, "2000-01-01", 61645},
    {kTimestampOid, "2024-02-29 23:59:59.999999", 5304},
    {kTimestampOid, "1970-01-01T00:00:00.5", 24244},
    {kTimestampOid, "infinity", 37267},
    {kTimestamptzOid, "2024-06-01 12:00:00+02", 23637},
    {kTimestamptzOid, "2024-06-01 10:00:00Z", 23637},
    {kTimestamptzOid, "1999-12-31 23:59:59.25-03:30", 27197},
    {kTimestamptzOid, "-infinity", 63644},
    {kByteaOid, "\\x", 49091},
    {kByteaOid, "\\x00", 7383},
    {kByteaOid, "\\xDEADbeef00ff", 17465},
    {kNumericOid, "0", 56572},
    {kNumericOid, "0.00", 56572},
    {kNumericOid, "1", 12894},
    {kNumericOid, "-1", 12894},
    {kNumericOid, "12345.678900", 28387},
    {kNumericOid, "12345.6789", 28387},
    {kNumericOid, "100000000", 12892},
    {kNumericOid, "0.00012", 14888},
    {kNumericOid, "0.1", 43956},
    {kNumericOid, "99999999999999999999.5", 57952},
    {kNumericOid, "NaN", 56573},
    {kNumericOid, "-Infinity", 56573},
};

TEST(BucketOfText, AgreesWithRecordedServerAnswers) {
    for (const Recorded& record : kRecorded) {
        const auto bucket = bucket_of_text(record.type, record.text);
        ASSERT_TRUE(bucket) << record.type << " " << record.text;
        EXPECT_EQ(bucket->value, record.bucket) << record.type << " " << record.text;
    }
}

TEST(BucketOfText, JudgesNoFormThatServersCouldReadDifferently) {
    constexpr std::pair<Oid, std::string_view> kOthers[] = {
        {kInt4Oid, ""}, {kInt4Oid, " 1"}, {kInt4Oid, "+1"}, {kInt4Oid, "01"}, {kInt4Oid, "-0"}, {kInt4Oid, "1.0"},
        {kInt4Oid, "-"}, {kInt4Oid, "12x"}, {kInt8Oid, "9223372036854775808"}, {kInt8Oid, "--1"},
        {kUuidOid, "{f47ac10b-58cc-4372-a567-0e02b2c3d479}"}, {kUuidOid, "f47ac10b58cc4372a5670e02b2c3d479"},
        {kUuidOid, "f47ac10b-58cc-4372-a567-0e02b2c3d47g"}, {kDateOid, "today"}, {kDateOid, "29.2.2024"},
        {kDateOid, "2023-02-29"}, {kDateOid, "0000-01-01"}, {kDateOid, "2024-1-1"}, {kDateOid, "2024-01-01 10:00:00"},
        {kDateOid, "10000-01-01"}, {kTimestampOid, "now"}, {kTimestampOid, "2024-01-01 24:00:00"},
        {kTimestampOid, "2024-01-01 00:00:60"}, {kTimestampOid, "2024-01-01 00:00:00+01"},
        {kTimestampOid, "2024-01-01 00:00:00."}, {kTimestampOid, "2024-01-01 00:00:00.1234567"},
        {kTimestamptzOid, "2024-01-01 00:00:00"}, {kTimestamptzOid, "2024-01-01"},
        {kTimestamptzOid, "2024-01-01 00:00:00+16"}, {kTimestamptzOid, "2024-01-01 00:00:00 CET"},
        {kByteaOid, "abc"}, {kByteaOid, "\\xabc"}, {kByteaOid, "\\xzz"}, {kNumericOid, "1e3"}, {kNumericOid, ".5"},
        {kNumericOid, "5."}, {kNumericOid, "+5"}, {kNumericOid, "05"}, {kNumericOid, "nan"}, {kNumericOid, ""},
        {kNumericOid, "1.2.3"},
    };
    for (const auto& [type, text] : kOthers) EXPECT_FALSE(bucket_of_text(type, text)) << type << " " << text;
    EXPECT_FALSE(bucket_of_text(kTextOid, std::string_view("a\0b", 3)));
}

TEST(BucketOfText, JudgesNoValueThatItsColumnWouldStoreDifferently) {
    const std::int32_t varchar3 = 3 + 4;
    EXPECT_TRUE(bucket_of_text(kVarcharOid, "abc", varchar3));
    EXPECT_TRUE(bucket_of_text(kVarcharOid, "abcd", varchar3));  // an error on every shard
    EXPECT_FALSE(bucket_of_text(kVarcharOid, "abc ", varchar3));
    EXPECT_TRUE(bucket_of_text(kBpcharOid, "abc  ", varchar3));
    const std::int32_t numeric_10_2 = ((10 << 16) | 2) + 4;
    EXPECT_TRUE(bucket_of_text(kNumericOid, "1.50", numeric_10_2));
    EXPECT_TRUE(bucket_of_text(kNumericOid, "1.500", numeric_10_2));
    EXPECT_FALSE(bucket_of_text(kNumericOid, "1.505", numeric_10_2));
    const std::int32_t numeric_10_minus_2 = ((10 << 16) | (-2 & 0x7ff)) + 4;
    EXPECT_FALSE(bucket_of_text(kNumericOid, "100", numeric_10_minus_2));
    EXPECT_TRUE(bucket_of_text(kTimestampOid, "2024-01-01 00:00:01.5", 1));
    EXPECT_FALSE(bucket_of_text(kTimestampOid, "2024-01-01 00:00:01.55", 1));
    EXPECT_TRUE(bucket_of_text(kTimestampOid, "infinity", 0));
}

TEST(BucketOfBinary, CrossesWidthsOfIntegersOnly) {
    const std::string two("\x00\x2a", 2);
    const std::string eight("\x00\x00\x00\x00\x00\x00\x00\x2a", 8);
    EXPECT_EQ(bucket_of_binary(kInt8Oid, kInt2Oid, two)->value, 45439);
    EXPECT_EQ(bucket_of_binary(kInt2Oid, kInt8Oid, eight)->value, 45439);
    EXPECT_EQ(bucket_of_binary(kInt2Oid, 0, two)->value, 45439);
    EXPECT_FALSE(bucket_of_binary(kInt8Oid, kInt8Oid, two));
    EXPECT_FALSE(bucket_of_binary(kInt8Oid, kNumericOid, eight));
    EXPECT_EQ(bucket_of_binary(kVarcharOid, kTextOid, "hello")->value, 33457);
    EXPECT_FALSE(bucket_of_binary(kBpcharOid, kTextOid, "ab"));
    EXPECT_FALSE(bucket_of_binary(kTextOid, kBpcharOid, "ab"));
    EXPECT_EQ(bucket_of_integer(42).value, 45439);
}

TEST(BucketOfBinary, RefusesDamagedNumeric) {
    const std::string one("\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01", 10);
    EXPECT_EQ(bucket_of_binary(kNumericOid, kNumericOid, one)->value, 12894);
    for (std::size_t length = 0; length < one.size(); ++length) {
        EXPECT_FALSE(bucket_of_binary(kNumericOid, kNumericOid, one.substr(0, length)));
    }
    const std::string digit_too_big("\x00\x01\x00\x00\x00\x00\x00\x00\x27\x10", 10);
    EXPECT_FALSE(bucket_of_binary(kNumericOid, kNumericOid, digit_too_big));
    const std::string beyond_scale("\x00\x01\xff\xff\x00\x00\x00\x00\x13\x88", 10);  // 0.5, display scale 0: stored as 0
    EXPECT_FALSE(bucket_of_binary(kNumericOid, kNumericOid, beyond_scale));
}

TEST(ExtendedHash, IsTheServersWholeHash) {
    EXPECT_EQ(extended_hash(kInt4Oid, std::string_view("\x00\x00\x00\x2a", 4)), std::uint64_t{7363975540656877951});
    EXPECT_FALSE(extended_hash(kInt4Oid, std::string_view("\x00\x2a", 2)));
    EXPECT_FALSE(extended_hash(Oid{701}, std::string_view("\0\0\0\0\0\0\0\0", 8)));
}

TEST(KeyTypes, GiveAReasonForEachRefusal) {
    for (Oid type : {kInt2Oid, kInt4Oid, kInt8Oid, kTextOid, kVarcharOid, kBpcharOid, kUuidOid, kDateOid, kTimestampOid,
                     kTimestamptzOid, kByteaOid, kNumericOid}) {
        EXPECT_TRUE(supported_key_type(type));
        EXPECT_EQ(why_not_a_key(type), "");
    }
    for (Oid type : {Oid{16}, Oid{700}, Oid{701}, Oid{114}, Oid{16999}}) {
        EXPECT_FALSE(supported_key_type(type));
        EXPECT_NE(why_not_a_key(type), "");
    }
}

}  // namespace
}  // namespace pgmosaic::shardmap
