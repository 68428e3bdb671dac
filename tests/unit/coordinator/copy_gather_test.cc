#include "coordinator/internal/copy_gather.h"

#include <gtest/gtest.h>

#include "coordinator/internal/copy_encode.h"
#include "wire/messages.h"

namespace pgmosaic::coordinator {
namespace {

using Format = planner::Copy::Format;

std::string copy_data(std::string_view body) {
    std::string out;
    wire::FrameWriter(out, 'd').bytes(body);
    return out;
}

/// What a server answers to COPY TO STDOUT.
std::string answer(const std::vector<std::string>& messages, int rows) {
    std::string out;
    { wire::FrameWriter(out, 'H').int8(0).int16(1).int16(0); }
    for (const std::string& message : messages) out += copy_data(message);
    wire::write_empty(out, 'c');
    wire::write_command_complete(out, "COPY " + std::to_string(rows));
    wire::write_ready(out, wire::TransactionStatus::kIdle);
    return out;
}

/// The CopyData bodies that the client gets, joined; however the servers' bytes arrive.
std::string gathered(CopyGather gather, const std::vector<std::string>& answers, std::size_t piece, int skip = 0) {
    std::string out;
    for (const std::string& whole : answers) {
        gather.begin(skip);
        std::string buffer;
        for (std::size_t at = 0; at < whole.size(); at += piece) {
            buffer += whole.substr(at, piece);
            buffer.erase(0, gather.take(buffer, out, [](const wire::Frame&) {}));
        }
        EXPECT_TRUE(gather.done());
        EXPECT_TRUE(buffer.empty());
    }
    gather.end(out);
    std::string bodies;
    std::string kinds;
    for (std::string_view rest = out; !rest.empty();) {
        const auto frame = wire::next_frame(rest);
        if (!frame) return "broken";
        if (frame->type == 'd') bodies += frame->body;
        else kinds += frame->type;
        rest.remove_prefix(frame->whole.size());
    }
    EXPECT_EQ(kinds, "Hc");
    return bodies + "|" + std::to_string(gather.rows());
}

TEST(CopyGather, TextHeaderComesOnce) {
    for (std::size_t piece = 1; piece < 60; ++piece) {
        EXPECT_EQ(gathered({Format::kText, true}, {answer({"id\n", "1\n", "2\n"}, 2), answer({"id\n"}, 0), answer({"id\n", "3\n"}, 1)}, piece),
                  "id\n1\n2\n3\n|3");
    }
    EXPECT_EQ(gathered({Format::kText, false}, {answer({}, 0), answer({"1\n"}, 1)}, 7), "1\n|1");
}

TEST(CopyGather, BinaryHasOneHeadAndOneTrailer) {
    const std::string head("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
    const std::string tuple("\0\1\0\0\0\1x", 7);
    const std::string empty_tuple("\0\0", 2);  // of a table without columns: as long as a trailer
    for (std::size_t piece = 1; piece < 60; ++piece) {
        EXPECT_EQ(gathered({Format::kBinary, false},
                           {answer({head + tuple, tuple, "\xff\xff"}, 2), answer({head + "\xff\xff"}, 0),
                            answer({head + empty_tuple, empty_tuple, "\xff\xff"}, 2)}, piece),
                  head + tuple + tuple + empty_tuple + empty_tuple + "\xff\xff|4");
        EXPECT_EQ(gathered({Format::kBinary, false}, {answer({head + "\xff\xff"}, 0), answer({head + tuple, "\xff\xff"}, 1)}, piece),
                  head + tuple + "\xff\xff|1");
    }
}

TEST(CopyGather, AnswersBeforeItAreSkipped) {
    std::string prelude;
    wire::write_command_complete(prelude, "BEGIN");
    wire::write_ready(prelude, wire::TransactionStatus::kInTransaction);
    EXPECT_EQ(gathered({Format::kText, false}, {prelude + answer({"1\n"}, 1)}, 5, 1), "1\n|1");
}

std::string row(const std::vector<std::string>& values, const std::vector<bool>& nulls = {}) {
    std::string out;
    wire::write_text_row(out, values, nulls);
    return out.substr(wire::kHeaderBytes);
}

std::string encoded(const planner::Copy& copy, std::vector<std::string> columns, std::string_view body) {
    std::string out;
    CopyEncoder(copy, std::move(columns)).row(body, out);
    return out.substr(wire::kHeaderBytes);
}

TEST(CopyEncoder, TextIsEscaped) {
    const planner::Copy copy;
    EXPECT_EQ(encoded(copy, {"a", "b", "c"}, row({"x\ty\\z\n", "", "\x01"}, {false, true, false})), "x\\ty\\\\z\\n\t\\N\t\x01\n");
}

TEST(CopyEncoder, CsvIsQuotedWhereItMust) {
    planner::Copy copy;
    copy.format = Format::kCsv;
    copy.delimiter = ',';
    copy.null_text.clear();
    EXPECT_EQ(encoded(copy, {"a", "b", "c", "d"}, row({"a,b", "say \"x\"", "", ""}, {false, false, true, false})),
              "\"a,b\",\"say \"\"x\"\"\",,\"\"\n");
    EXPECT_EQ(encoded(copy, {"a"}, row({"\\."})), "\"\\.\"\n");
    copy.force_quote = {"b"};
    EXPECT_EQ(encoded(copy, {"a", "b"}, row({"1", "2"})), "1,\"2\"\n");
    EXPECT_EQ(encoded(copy, {"a", "b"}, row({"1", "2"}, {false, true})), "1,\n");
}

}  // namespace
}  // namespace pgmosaic::coordinator
