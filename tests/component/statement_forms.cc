#include "tests/component/statement_forms.h"

namespace pgmosaic::testing {

namespace {

/// What stands behind FROM, and three columns of it.
struct Source {
    std::string from;
    std::string key;    ///< a shard key, or what is made of one
    std::string other;  ///< not a key
    std::string third;  ///< of another table, if there is one
};

struct Joined {
    const char* name;
    const char* key;
    const char* other;
};

std::vector<Source> joins() {
    const std::vector<Joined> lefts{{"a", "k", "x"}, {"r", "id", "x"}, {"vg", "k", "n"}};
    const std::vector<Joined> rights{{"b", "k", "x"}, {"a", "k", "y"}, {"c", "j", "k"}, {"r", "id", "x"}, {"va", "k", "x"}};
    std::vector<Source> all;
    for (const Joined& left : lefts) {
        for (const Joined& right : rights) {
            const std::string l = std::string("t.") + left.key, r = std::string("u.") + right.key;
            const std::string lo = std::string("t.") + left.other, ro = std::string("u.") + right.other;
            const auto add = [&](const std::string& kind, const std::string& on) {
                const std::string from = std::string(left.name) + " t " + kind + " " + right.name + " u" + (on.empty() ? "" : " ON " + on);
                all.push_back({from, l, lo, ro});
                all.push_back({from, r, ro, l});
            };
            for (const char* kind : {"JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"}) {
                add(kind, l + " = " + r);
                add(kind, l + " = " + r + " AND " + lo + " = " + ro);
                add(kind, l + " = " + ro);
                add(kind, lo + " = " + ro);
                if (std::string(kind) == "FULL JOIN") continue;
                add(kind, l + " = " + r + " OR " + lo + " = 1");
                add(kind, l + " IS NOT DISTINCT FROM " + r);
                add(kind, l + " = " + r + " AND " + ro + " IS NULL");
            }
            add("CROSS JOIN", "");
        }
    }
    return all;
}

std::vector<Source> sources() {
    std::vector<Source> all = joins();
    for (const char* from : {"a", "b", "va", "r"}) {
        const std::string key = std::string(from) == "r" ? "t.id" : "t.k";
        all.push_back({std::string(from) + " t", key, "t.x", "t.x + 1"});
    }
    const std::vector<Source> more{
        {"vg t", "t.k", "t.n", "t.n + 1"},
        {"c t", "t.j", "t.k", "t.x"},
        {"(SELECT k, count(*) AS n FROM a GROUP BY k) t", "t.k", "t.n", "t.n"},
        {"(SELECT x, count(*) AS n FROM a GROUP BY x) t", "t.n", "t.x", "t.n"},
        {"(SELECT DISTINCT k, x FROM a) t", "t.k", "t.x", "t.x"},
        {"(SELECT DISTINCT x, y FROM a) t", "t.y", "t.x", "t.x"},
        {"(SELECT k, x FROM a UNION SELECT k, x FROM b) t", "t.k", "t.x", "t.x"},
        {"(SELECT k, x FROM a UNION ALL SELECT x, k FROM b) t", "t.k", "t.x", "t.x"},
        {"(SELECT k, x FROM a UNION SELECT id, x FROM r) t", "t.k", "t.x", "t.x"},
        {"(SELECT k, x FROM a EXCEPT SELECT k, x FROM b) t", "t.k", "t.x", "t.x"},
        {"(SELECT a.k, b.x FROM a LEFT JOIN b ON a.k = b.k) t JOIN b u ON t.k = u.k", "t.k", "t.x", "u.x"},
        {"(SELECT b.k, a.x FROM a LEFT JOIN b ON a.k = b.k) t JOIN b u ON t.k = u.k", "t.k", "t.x", "u.x"},
        {"(SELECT b.k, a.x FROM a LEFT JOIN b ON a.k = b.k) t LEFT JOIN b u ON t.k = u.k", "t.k", "t.x", "u.x"},
        {"(SELECT b.k, a.x FROM a FULL JOIN b ON a.k = b.k) t LEFT JOIN b u ON t.k = u.k", "t.k", "t.x", "u.x"},
        {"a t JOIN b u USING (k)", "k", "t.x", "u.x"},
        {"a t LEFT JOIN b u USING (k)", "k", "t.x", "u.x"},
        {"a t FULL JOIN b u USING (k)", "k", "t.x", "u.x"},
        {"a t JOIN b u ON t.k = u.k LEFT JOIN b v ON v.k = u.k", "v.k", "t.x", "u.x"},
        {"a t LEFT JOIN b u ON t.k = u.k LEFT JOIN b v ON v.k = u.k", "v.k", "t.x", "v.x"},
        {"a t LEFT JOIN b u ON t.k = u.k FULL JOIN b v ON v.k = t.k", "u.k", "v.x", "t.x"},
        {"a t LEFT JOIN b u ON t.k = u.k FULL JOIN b v ON v.k = u.k", "u.k", "v.x", "t.x"},
        {"r t JOIN a u ON t.id = u.x JOIN b v ON v.k = u.k", "v.k", "t.x", "u.x"},
        {"r t LEFT JOIN (a u JOIN b v ON v.k = u.k) ON t.id = u.k", "u.k", "t.x", "v.x"},
        {"a t LEFT JOIN r u ON t.x = u.id LEFT JOIN b v ON v.k = t.k AND v.x = u.x", "v.k", "t.x", "u.x"},
        {"a t, LATERAL (SELECT u.x FROM b u WHERE u.k = t.k ORDER BY u.x LIMIT 1) v", "t.k", "t.x", "v.x"},
        {"a t LEFT JOIN LATERAL (SELECT sum(u.x) AS x FROM b u WHERE u.k = t.k) v ON true", "t.k", "t.x", "v.x"},
        {"a t LEFT JOIN LATERAL (SELECT sum(u.x) AS x FROM b u WHERE u.x = t.x) v ON true", "t.k", "t.x", "v.x"},
        {"(SELECT k, x FROM a ORDER BY k, x LIMIT 1) t", "t.k", "t.x", "t.x"},
        {"(SELECT k, rank() OVER (PARTITION BY k ORDER BY x) AS x FROM a) t", "t.k", "t.x", "t.x"},
    };
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

std::vector<std::string> conditions(const Source& s) {
    return {"",
            s.key + " = 1",
            s.key + " IN (0, 2) AND " + s.other + " IS NOT NULL",
            s.key + " = 1 OR " + s.other + " = 1",
            s.key + " IS NULL",
            s.key + " IN (SELECT k FROM b)",
            s.key + " IN (SELECT x FROM b)",
            s.other + " IN (SELECT k FROM a)",
            s.key + " NOT IN (SELECT k FROM b)",
            s.other + " NOT IN (SELECT id FROM r)",
            s.other + " IN (SELECT id FROM r WHERE x = 1)",
            "EXISTS (SELECT 1 FROM b e WHERE e.k = " + s.key + ")",
            "EXISTS (SELECT 1 FROM b e WHERE e.x = " + s.key + ")",
            "NOT EXISTS (SELECT 1 FROM b e WHERE e.k = " + s.key + " AND e.x = " + s.other + ")",
            "NOT EXISTS (SELECT 1 FROM b e WHERE e.k = " + s.other + ")",
            "EXISTS (SELECT 1 FROM b)",
            s.other + " = (SELECT max(e.x) FROM b e WHERE e.k = " + s.key + ")",
            s.other + " = (SELECT max(e.x) FROM b e)"};
}

/// `$k`, `$o` and `$t` are the columns, `$f` is all from FROM on.
const std::vector<std::string>& shapes() {
    static const std::vector<std::string> all{
        "SELECT $k, $o, $t $f",
        "SELECT $k AS p, $o AS q, $t AS s $f ORDER BY 1, 2, 3 LIMIT 2",
        "SELECT $k AS p, $o AS q, $t AS s $f ORDER BY 2 DESC, 1, 3 DESC NULLS LAST OFFSET 1",
        "SELECT $o AS q $f ORDER BY 1 FETCH FIRST 1 ROWS WITH TIES",
        "SELECT DISTINCT $k $f",
        "SELECT DISTINCT $o $f",
        "SELECT DISTINCT $o AS q, $t AS s $f ORDER BY 2, 1 LIMIT 2",
        "SELECT DISTINCT ON ($k) $k AS p, $o AS q, $t AS s $f ORDER BY $k, $o, $t",
        "SELECT DISTINCT ON ($o) $o AS p, $k AS q, $t AS s $f ORDER BY $o, $k DESC, $t",
        "SELECT count(*), sum($o), min($k), max($t), avg($o) $f",
        "SELECT count(DISTINCT $k) $f",
        "SELECT count(DISTINCT $o), count($t) $f",
        "SELECT count(*) FILTER (WHERE $o = 1), bool_or($o = 1), bool_and($t = 1) $f",
        "SELECT $k, count(*), sum($o) $f GROUP BY $k",
        "SELECT $o, count(*), avg($t) $f GROUP BY $o",
        "SELECT $o AS q, count(*) AS n, min($k) AS p $f GROUP BY $o ORDER BY 2 DESC, 1, 3 LIMIT 1",
        "SELECT $k, count(DISTINCT $o) $f GROUP BY $k",
        "SELECT $k, $o, count(*) $f GROUP BY $k, $o HAVING count(*) > 1",
        "SELECT $o, count(*) $f GROUP BY $o HAVING count(*) > 1",
        "SELECT count(*) $f HAVING count(*) > 1",
        "SELECT $k, $o, count(*) $f GROUP BY ROLLUP ($k, $o)",
        "SELECT $k, $o, count(*) $f GROUP BY GROUPING SETS (($k, $o), ($k))",
        "SELECT $k, $o, count(*) $f GROUP BY GROUPING SETS (($k), ($o))",
        "SELECT DISTINCT count(*) $f GROUP BY $k",
        "SELECT $k, $o, count(*) OVER (PARTITION BY $k) $f",
        "SELECT $k, $o, sum($t) OVER (PARTITION BY $o) $f",
        "SELECT $k, $o, rank() OVER (PARTITION BY $k, $t ORDER BY $o) $f",
        "SELECT $k, rank() OVER (ORDER BY $o) $f",
        "SELECT $k, sum(count(*)) OVER (PARTITION BY $k) $f GROUP BY $k, $o",
        "SELECT $k, (SELECT sum(e.x) FROM b e WHERE e.k = $k) $f",
        "SELECT $k, (SELECT sum(e.x) FROM b e WHERE e.x = $o) $f",
        "SELECT $k $f UNION SELECT k FROM b",
        "SELECT $k $f UNION ALL SELECT id FROM r",
        "SELECT $k $f EXCEPT SELECT k FROM b",
        "SELECT $o $f EXCEPT ALL SELECT k FROM b",
        "SELECT $k $f INTERSECT SELECT id FROM r",
        "WITH w AS (SELECT $k AS k, $o AS o $f) SELECT w.k, b.x FROM w JOIN b ON w.k = b.k",
        "WITH w AS (SELECT $k AS k, $o AS o $f) SELECT w.k, v.o FROM w LEFT JOIN w v ON w.k = v.k",
        "WITH w AS MATERIALIZED (SELECT $k AS k, count(*) AS n $f GROUP BY $k) SELECT b.k, w.n FROM b LEFT JOIN w ON w.k = b.k",
        "SELECT b.k FROM b WHERE b.k IN (SELECT $k $f)",
        "SELECT b.k FROM b WHERE b.k NOT IN (SELECT $k $f)",
        "SELECT b.k FROM b WHERE (b.k, b.x) IN (SELECT $k, $o $f)",
        "SELECT b.k, b.x IN (SELECT $o $f) FROM b",
    };
    return all;
}

std::string fill(const std::string& shape, const Source& source, const std::string& condition) {
    std::string sql;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] != '$') {
            sql += shape[i];
            continue;
        }
        const char what = shape[++i];
        if (what == 'k') sql += source.key;
        if (what == 'o') sql += source.other;
        if (what == 't') sql += source.third;
        if (what == 'f') sql += "FROM " + source.from + (condition.empty() ? "" : " WHERE " + condition);
    }
    return sql;
}

}  // namespace

std::vector<std::string> all_statement_forms() {
    std::vector<std::string> all;
    for (const Source& source : sources()) {
        for (const std::string& condition : conditions(source)) {
            for (const std::string& shape : shapes()) all.push_back(fill(shape, source, condition));
        }
    }
    return all;
}

}  // namespace pgmosaic::testing
