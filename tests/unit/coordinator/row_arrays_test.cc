#include "coordinator/internal/row_arrays.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "wire/frame.h"

namespace pgmosaic::coordinator {
namespace {

using namespace std::string_view_literals;

TEST(ColumnArray, IsWhatArrayRecvReads) {
    ColumnArray array(23);
    array.add("\0\0\0\7"sv);
    array.add_null();
    array.add({});
    std::string bytes;
    array.write(bytes);
    EXPECT_EQ(bytes, "\0\0\0\x24"   // the array's own length: 20 of the head, 16 of values
                     "\0\0\0\1\0\0\0\1\0\0\0\x17\0\0\0\3\0\0\0\1"
                     "\0\0\0\4\0\0\0\7\xff\xff\xff\xff\0\0\0\0"sv);
}

TEST(ColumnArray, HasNoDimensionWithoutValues) {
    ColumnArray array(25);
    std::string bytes;
    array.write(bytes);
    EXPECT_EQ(bytes, "\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\x19"sv);
}

TEST(ReadValues, TellsNullFromEmpty) {
    std::string body;
    wire::put_int16(body, 3);
    wire::put_int32(body, 0);
    wire::put_int32(body, -1);
    wire::put_int32(body, 1);
    body += 'x';
    std::vector<std::string_view> values;
    read_values(body, 3, values);
    ASSERT_EQ(values.size(), 3U);
    EXPECT_NE(values[0].data(), nullptr);
    EXPECT_EQ(values[1].data(), nullptr);
    EXPECT_EQ(values[2], "x");
    EXPECT_THROW(read_values(body, 2, values), PgError);
}

}  // namespace
}  // namespace pgmosaic::coordinator
