#!/bin/bash
# A primary is killed with SIGKILL while a client is connected. Its standby takes over by itself, the client stays
# connected, nothing that was acknowledged is lost, and the old primary comes back as a standby.
# needs: standby
set -euo pipefail
pgmosaic=${PGMOSAIC:-build/pgmosaic}
field() { "$pgmosaic" status -o json | /usr/bin/python3 -c "import json, sys; print($1)"; }
primary="next(n for n in json.load(sys.stdin)['shards'][0]['nodes'] if n['role'] == 'primary')"

psql -X -q -c "CREATE TABLE notes (id int PRIMARY KEY, body text)" \
    -c "INSERT INTO notes SELECT g, 'note ' || g FROM generate_series(1, 100) g" \
    -c "SELECT create_distributed_table('notes', 'id')" >/dev/null

# A client that was there before, and asks again afterwards.
coproc client { psql -X -q -A -t; }
echo "SELECT count(*) FROM notes;" >&"${client[1]}"
read -r before <&"${client[0]}"
echo "before: $before notes"

name=$(field "$primary['name']")
kill -9 "$(field "$primary['pid']")"
while [[ $(field "($primary)['name']" 2>/dev/null || echo "$name") == "$name" ]]; do sleep 0.1; done
echo "another primary has taken over"

echo "INSERT INTO notes VALUES (101, 'later'), (102, 'later'), (103, 'later'), (104, 'later'); SELECT count(*) FROM notes;" >&"${client[1]}"
read -r after <&"${client[0]}"
echo "after: $after notes, on the same connection"

for _ in $(seq 600); do
    if "$pgmosaic" status --check >/dev/null 2>&1; then break; fi
    sleep 0.1
done
"$pgmosaic" status --check >/dev/null && echo "the old primary is a standby now"
psql -X -q -c "DROP TABLE notes"
