#include "planner/internal/lexer.h"

#include <gtest/gtest.h>

#include "planner/internal/scanner.h"

namespace pgmosaic::planner {
namespace {

std::vector<std::pair<int, int>> ours(const std::string& sql) {
    std::vector<Token> cut;
    EXPECT_TRUE(tokenize(sql, cut)) << sql;
    std::vector<std::pair<int, int>> tokens;
    for (const Token& token : cut) tokens.push_back({static_cast<int>(token.begin), static_cast<int>(token.end)});
    return tokens;
}

std::string key_of(const std::string& sql) {
    std::string key;
    std::vector<Token> literals;
    EXPECT_TRUE(cut_literals(sql, key, literals)) << sql;
    return key;
}

Literal first_literal(const std::string& sql) {
    std::string key;
    std::vector<Token> literals;
    EXPECT_TRUE(cut_literals(sql, key, literals)) << sql;
    Literal literal;
    if (!literals.empty()) read_literal(sql, literals[0], literal);
    return literal;
}

const char* const kTexts[] = {
    "SELECT abalance FROM pgbench_accounts WHERE aid = 12345",
    "SELECT 1-1, 1 -1, 1 - -1, a-1, -1.5e-10, .5, 5., 1..2",
    "SELECT a=-1, a<>-1, a!=-1, a@-1, a ~~*- 1, a||-1, a/*x*/-1, a --comment\n-1",
    "SELECT 'it''s', E'a\\'b\\\\', $$x'y$$, $tag$ $$ $tag$, B'01', x'1F', \"a\"\"b\"",
    "SELECT $1, $2::int, a[1:2], f(x => 1), a.b.c, (a).b, x::text COLLATE \"C\"",
    "/* a /* nested */ b */ SELECT/**/1--end",
    "INSERT INTO t VALUES (1,'a',NULL),(-2,'b',TRUE);; SELECT 1;",
    "SELECT a<=b, a>=b, a<b, a->'x'->>'y', a#>>'{b}', a?b, a@>b, a<@b, a&&b, a !~ b, @a, !!a, 5%3, 5^2, 5|3",
    "SELECT \xc3\xa9t\xc3\xa9 AS \xe2\x82\xac$1 FROM b\xc3\xa4r WHERE x = '\xe2\x82\xac'",
    "SELECT a :: int4, b:=5 , c ::text",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $_1$ SELECT '$$' $_1$",
    "SELECT 1 WHERE a IS NOT NULL AND b BETWEEN -5 AND +5 AND c*-d > 3",
};

TEST(Lexer, CutsAsPostgresScannerDoes) {
    for (const char* text : kTexts) {
        EXPECT_EQ(ours(text), scan_with_postgres(text)) << text;
    }
}

// PostgreSQL's scanner gives N'…' in two tokens, and libpg_query tells no end of U&'…'; neither is ever a key value.
TEST(Lexer, TakesRareLiteralsWhole) {
    using Tokens = std::vector<std::pair<int, int>>;
    EXPECT_EQ(ours("U&'\\0041'"), (Tokens{{0, 9}}));
    EXPECT_EQ(ours("N'n'"), (Tokens{{0, 4}}));
    EXPECT_EQ(ours("u&\"\\0041\""), (Tokens{{0, 9}}));
}

TEST(Lexer, LeavesToTheParserWhatItCannotJudge) {
    std::vector<Token> tokens;
    for (const char* text : {"SELECT 'open", "SELECT \"open", "SELECT $$open", "/* open", "SELECT 'a'\n'b'", "SELECT 1a", "SELECT $1a", "SELECT 1e",
                             "SELECT \x01"}) {
        EXPECT_FALSE(tokenize(text, tokens)) << text;
    }
}

TEST(Lexer, GivesTextsThatDifferInLiteralsOneKey) {
    EXPECT_EQ(key_of("SELECT 1"), key_of("SELECT 234"));
    EXPECT_EQ(key_of("SELECT 'a'"), key_of("SELECT 'b''c'"));
    EXPECT_NE(key_of("SELECT 1"), key_of("SELECT 1.0"));
    EXPECT_NE(key_of("SELECT 1"), key_of("SELECT '1'"));
    EXPECT_NE(key_of("SELECT 1"), key_of("SELECT -1"));
    EXPECT_NE(key_of("SELECT 1"), key_of("SELECT 12345678901234567890"));
    EXPECT_NE(key_of("SELECT \"1\""), key_of("SELECT \"2\""));
    EXPECT_NE(key_of("SELECT B'1'"), key_of("SELECT B'0'"));
    EXPECT_NE(key_of("SELECT 1 -- 1"), key_of("SELECT 1 -- 2"));
}

TEST(Lexer, ReadsLiterals) {
    EXPECT_EQ(first_literal("SELECT 'it''s'").value, "it's");
    EXPECT_EQ(first_literal("SELECT E'a\\n\\x41\\101\\u00e9\\''").value, "a\nAA\xc3\xa9'");
    EXPECT_EQ(first_literal("SELECT $x$it's$x$").value, "it's");
    EXPECT_EQ(first_literal("SELECT 42").value, "42");
    EXPECT_EQ(first_literal("SELECT 4.2").kind, Literal::Kind::kDecimal);
    EXPECT_EQ(first_literal("SELECT E'\\ud83d\\ude00'").kind, Literal::Kind::kOther);
}

TEST(Lexer, TakesAMinusForASignOnlyWhereItCanBeNothingElse) {
    EXPECT_TRUE(first_literal("SELECT * FROM t WHERE a = -5").negative);
    EXPECT_TRUE(first_literal("SELECT * FROM t WHERE a=-5").negative);
    EXPECT_TRUE(first_literal("SELECT * FROM t WHERE a IN (-5)").negative);
    EXPECT_FALSE(first_literal("SELECT a -5").negative);
    EXPECT_FALSE(first_literal("SELECT (a) - 5").negative);
    EXPECT_FALSE(first_literal("SELECT a - - 5").negative);
}

TEST(Lexer, MeasuresHowDeepATextMayNest) {
    std::string sum = "SELECT 1", list = "SELECT f(1", either = "SELECT 1 WHERE a = 1";
    for (int i = 0; i < 1000; ++i) sum += "+1", list += ",1", either += " OR a = 1";
    EXPECT_GT(nesting_bound(sum), 1000U);
    EXPECT_LT(nesting_bound(list + ")"), 20U);
    EXPECT_LT(nesting_bound(either), 20U);
}

TEST(Lexer, WritesStringsWithBackslashesAsEscapeStrings) {
    std::vector<std::size_t> at;
    EXPECT_EQ(with_escape_strings("SELECT 'a\\'b',E'\\n', $$\\$$, '' -- '\\\n, x'1f', 'it''s\\\\'", at),
              "SELECT  E'a\\'b',E'\\n', $$\\$$, '' -- '\\\n, x'1f',  E'it''s\\\\'");
    EXPECT_EQ(at, (std::vector<std::size_t>{7, 46}));
}

}  // namespace
}  // namespace pgmosaic::planner
