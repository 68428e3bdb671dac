<?php
// PDO and the pgsql functions: emulated and real prepared statements, lastInsertId, fetch modes, COPY, metadata.
function show(...$values) { echo implode("\t", array_map(fn($v) => is_string($v) ? $v : json_encode($v), $values)), "\n"; }
$where = sprintf("host=%s port=%s dbname=%s user=%s", getenv("PGHOST"), getenv("PGPORT"), getenv("PGDATABASE"), getenv("PGUSER"));
$db = new PDO("pgsql:" . strtr($where, " ", ";"), null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
show("server", $db->getAttribute(PDO::ATTR_SERVER_VERSION), $db->getAttribute(PDO::ATTR_DRIVER_NAME));
function failing($step, $call) {
    try { $call(); show($step, "no error"); } catch (PDOException $e) { show($step, $e->errorInfo[0], explode("\n", $e->errorInfo[2])[0]); }
}
$insert = $db->prepare("INSERT INTO people (id, name, height, ok, big) VALUES (:id, :name, :height, :ok, :big)");
for ($n = 1; $n <= 20; $n++) {
    $insert->bindValue("id", $n, PDO::PARAM_INT);
    $insert->bindValue("name", "p$n");
    $insert->bindValue("height", $n / 4);
    $insert->bindValue("ok", $n % 2 == 0, PDO::PARAM_BOOL);
    $insert->bindValue("big", $n << 40, PDO::PARAM_INT);
    $insert->execute();
}
show("count", $insert->rowCount());
foreach ([false, true] as $emulated) {
    $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, $emulated);
    $select = $db->prepare("SELECT id, name, height, ok, big, born FROM people WHERE id = ?");
    foreach ([1, 2, 3, 99] as $n) { $select->execute([$n]); show("one", $select->fetchAll(PDO::FETCH_ASSOC)); }
    for ($i = 0; $i < 6; $i++) { $meta = $select->getColumnMeta($i); show("column", $meta["name"], $meta["native_type"], $meta["pgsql:oid"], $meta["len"], $meta["precision"]); }
}
show("all", $db->query("SELECT count(*), sum(big), avg(height) FROM people")->fetch(PDO::FETCH_NUM));
show("grouped", $db->query("SELECT ok, count(*) FROM people GROUP BY ok ORDER BY ok")->fetchAll(PDO::FETCH_NUM));
failing("unique", fn() => $db->exec("INSERT INTO people (id, name) VALUES (1, 'again')"));
failing("missing", fn() => $db->query("SELECT * FROM nowhere"));
failing("wrong", fn() => $db->query("SELECT * FROM people WHERE id = 'x'"));
$db->beginTransaction();
$db->exec("INSERT INTO notes VALUES (1, 1, 'gone')");
$db->rollBack();
$db->beginTransaction();
$db->exec("INSERT INTO notes VALUES (1, 1, 'kept')");
$db->commit();
show("kept", $db->query("SELECT * FROM notes")->fetchAll(PDO::FETCH_NUM));
show("copied", $db->pgsqlCopyFromArray("notes", ["60\t1\tone", "61\t1\ttwo"]));
$all = $db->pgsqlCopyToArray("notes"); sort($all); show("read", $all);
$cursor = $db->prepare("SELECT id FROM people ORDER BY id", [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
$db->beginTransaction();
$cursor->execute();
$ids = []; while (($row = $cursor->fetch(PDO::FETCH_NUM)) !== false) $ids[] = $row[0];
show("cursor", $ids);
$db->commit();
$pg = pg_connect($where, PGSQL_CONNECT_FORCE_NEW);
show("parameters", pg_fetch_all(pg_query_params($pg, "SELECT id, name FROM people WHERE id = $1", [5])));
pg_prepare($pg, "named", "SELECT name FROM people WHERE id = $1");
foreach ([1, 2, 3] as $n) show("named", pg_fetch_result(pg_execute($pg, "named", [$n]), 0, 0));
show("meta", pg_meta_data($pg, "people"));
pg_send_query($pg, "SELECT 1; SELECT 2");
while ($result = pg_get_result($pg)) show("several", pg_fetch_result($result, 0, 0));
show("inserted", pg_affected_rows(pg_query($pg, "UPDATE people SET ok = true WHERE id < 4")));
@pg_query($pg, "SELECT 1 / 0");
show("error", explode("\n", pg_last_error($pg))[0]);
show("ping", pg_ping($pg), pg_parameter_status($pg, "server_encoding"), pg_client_encoding($pg));
