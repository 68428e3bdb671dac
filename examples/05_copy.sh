#!/bin/bash
# A file into a sharded table and out again; and a table that is distributed when it already has rows.
set -euo pipefail
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

seq 1 5000 | awk '{ print $1 ",visitor " $1 "," ($1 % 17) }' >"$work/visits.csv"

sql -c "CREATE TABLE visits (visitor int PRIMARY KEY, name text, pages int)"
# The first thousand rows go in while the table is still in one place …
head -1000 "$work/visits.csv" | sql -c "COPY visits FROM STDIN WITH (FORMAT csv)"
sql -c "SELECT create_distributed_table('visits', 'visitor')" >/dev/null
# … the others are split by their key on the way.
tail -n +1001 "$work/visits.csv" | sql -c "COPY visits FROM STDIN WITH (FORMAT csv)"

sql -c "COPY visits TO STDOUT WITH (FORMAT csv)" | sort -t, -k1n >"$work/back.csv"
cmp "$work/visits.csv" "$work/back.csv" && echo "5000 rows went in and came out unchanged"
sql -c "SELECT count(*), sum(pages) FROM visits"
sql -c "DROP TABLE visits"
