SELECT setseed(0.5);
INSERT INTO customers SELECT i, (ARRAY['Ann', 'bob', 'Éva', 'ann', 'Zoe', 'o''Hara', ''])[1 + i % 7] || CASE WHEN i % 3 = 0 THEN '' ELSE i::text END, CASE WHEN i % 11 = 0 THEN NULL ELSE (ARRAY['DE', 'US', 'fr', 'JP'])[1 + i % 4] END, CASE WHEN i % 9 = 0 THEN NULL ELSE date '2020-01-01' + i * 13 % 700 END, CASE WHEN i % 8 = 0 THEN NULL ELSE (i * 7919 % 100000) / 100.0 - 200 END, CASE WHEN i % 5 = 0 THEN NULL ELSE i % 2 = 0 END, i * 0.37, ARRAY[i % 3, i % 2], (ARRAY['Abel', 'abel', 'Zoe', 'zoe', 'Élan', 'elan'])[1 + i % 6] FROM generate_series(1, 90) i;
INSERT INTO orders SELECT 1 + i * 17 % 95, i, CASE WHEN i % 13 = 0 THEN NULL ELSE (i * 104729 % 1000003) / (10 ^ (i % 5))::numeric END, timestamptz '2023-01-01 00:00+00' + i * interval '7 hours', (ARRAY['new', 'paid', 'sent', 'lost'])[1 + i % 4], i * 1.25, CASE WHEN i % 4 = 0 THEN NULL ELSE i % 3 * interval '30 days' + i % 5 * interval '1 hour' END, (i % 100)::smallint FROM generate_series(1, 300) i;
INSERT INTO lines SELECT o.customer_id, o.id, n, 1 + (o.id + n) % 22, 1 + (o.id * n) % 5 FROM orders o, generate_series(1, 3) n WHERE (o.id + n) % 4 <> 0;
INSERT INTO words SELECT w || i, i % 6, time '00:00' + i * interval '17 minutes' FROM unnest(ARRAY['apple', 'Apple', 'éclair', 'zebra', '']) w, generate_series(1, 8) i;
INSERT INTO products SELECT i, 'product ' || i, i * 3.5 FROM generate_series(1, 20) i;
INSERT INTO settings SELECT 'setting ' || i, i FROM generate_series(1, 12) i;
INSERT INTO moods SELECT i, CASE WHEN i % 2 = 0 THEN 'sad'::mood ELSE 'happy' END FROM generate_series(1, 10) i;
