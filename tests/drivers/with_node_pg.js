// node-postgres: parameters as text, named statements, a pool, errors by code, several statements.
const { Client, Pool } = require('pg');
const show = (...values) => console.log(values.map((v) => (typeof v === 'string' ? v : JSON.stringify(v))).join('\t'));

async function run(client, step, ...query) {
  try {
    const found = await client.query(...query);
    for (const each of Array.isArray(found) ? found : [found]) {
      show(step, each.command, each.rowCount, each.fields.map((f) => [f.name, f.dataTypeID, f.dataTypeSize, f.dataTypeModifier, f.format]), each.rows);
    }
  } catch (error) {
    show(step, error.code, error.message, error.constraint ?? '');
  }
}

(async () => {
  const client = new Client();
  await client.connect();
  await run(client, 'types', 'SELECT $1::int, $2::text, $3::numeric, $4::text[], $5::jsonb, $6::bytea, $7::bool', [5, "ä'\\", '1.50', ['a', null], { a: 1 }, Buffer.from([0, 255]), true]);
  for (let n = 1; n <= 20; n++) await client.query('INSERT INTO people (id, name, height, tags, doc) VALUES ($1, $2, $3, $4, $5)', [n, `p${n}`, n / 4, [`${n}`], { n }]);
  for (const n of [1, 2, 3, 99]) await run(client, 'named', { name: 'one', text: 'SELECT id, name, height, tags, doc, ok FROM people WHERE id = $1', values: [n] });
  await run(client, 'all', 'SELECT count(*), sum(id), avg(height) FROM people');
  await run(client, 'array', { text: 'SELECT id, name FROM people WHERE id < $1 ORDER BY id', values: [4], rowMode: 'array' });
  await run(client, 'returning', 'INSERT INTO people (id, name) VALUES ($1, $2) RETURNING *', [100, 'hundred']);
  await run(client, 'unique', "INSERT INTO people (id, name) VALUES (1, 'again')");
  await run(client, 'missing', 'SELECT * FROM nowhere');
  await run(client, 'wrong', 'SELECT * FROM people WHERE id = $1', ['x']);
  await run(client, 'several', "SELECT 1 AS a; UPDATE people SET ok = false WHERE id = 1; SELECT 'two' AS b");
  await run(client, 'empty', '');
  await run(client, 'begin', 'BEGIN');
  await run(client, 'inside', "INSERT INTO notes VALUES (1, 1, 'gone')");
  await run(client, 'failing', 'SELECT 1 / 0');
  await run(client, 'aborted', 'SELECT 1');
  await run(client, 'end', 'COMMIT');
  await run(client, 'gone', 'SELECT count(*) FROM notes');
  client.on('notice', (notice) => show('notice', notice.severity, notice.message));
  await run(client, 'raise', "DO $$ BEGIN RAISE NOTICE 'told'; END $$");
  const waiting = [];
  for (let n = 1; n <= 10; n++) waiting.push(client.query('SELECT name FROM people WHERE id = $1', [n]));
  show('queued', (await Promise.all(waiting)).map((found) => found.rows[0].name));
  await client.end();
  const pool = new Pool({ max: 4 });
  show('pool', await Promise.all([...Array(20).keys()].map(async (n) => (await pool.query('SELECT name FROM people WHERE id = $1', [n + 1])).rows[0].name)));
  await pool.end();
})();
