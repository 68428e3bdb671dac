CREATE TABLE readings (sensor int, at timestamptz, celsius numeric(5,2), PRIMARY KEY (sensor, at));
INSERT INTO readings
SELECT sensor, timestamptz '2024-05-01 00:00+00' + hour * interval '1 hour', 15 + sensor % 7 + hour * 0.25
  FROM generate_series(1, 50) sensor, generate_series(0, 23) hour;

-- From here on its rows are spread over the shards by their key; the table has the same name and columns on every shard.
SELECT create_distributed_table('readings', 'sensor');

-- One key: one shard answers, as if there were no others.
SELECT at AT TIME ZONE 'UTC' AS at, celsius FROM readings WHERE sensor = 7 ORDER BY at LIMIT 3;

-- All shards answer, and their partial results are combined exactly.
SELECT count(*), min(celsius), max(celsius), round(avg(celsius), 3) AS average FROM readings;
SELECT sensor, avg(celsius) AS average FROM readings GROUP BY sensor ORDER BY average DESC, sensor LIMIT 5;

DROP TABLE readings;
