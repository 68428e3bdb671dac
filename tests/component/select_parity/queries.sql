-- One statement a line; before the colon the plan that it must get. ORDER BY of these statements is total.
scatter: SELECT * FROM customers
scatter: SELECT id, name FROM customers WHERE credit > 100
scatter: SELECT id, name FROM customers WHERE id IN (1, 2, 3)
scatter: SELECT id, upper(name) AS loud, random() < 2 AS yes FROM customers
scatter: SELECT * FROM customers ORDER BY id
scatter: SELECT * FROM customers ORDER BY id DESC LIMIT 5
scatter: SELECT * FROM customers ORDER BY id LIMIT 5 OFFSET 7
scatter: SELECT * FROM customers ORDER BY id OFFSET 80
scatter: SELECT * FROM customers ORDER BY id LIMIT 0
scatter: SELECT * FROM customers ORDER BY id LIMIT ALL OFFSET 3
scatter: SELECT * FROM customers ORDER BY id LIMIT 9223372036854775807 OFFSET 85
scatter: SELECT count(*) FROM (SELECT id FROM customers) c
scatter: SELECT id FROM customers ORDER BY name, id
scatter: SELECT id, name AS n FROM customers ORDER BY n DESC NULLS LAST, 1
scatter: SELECT name AS id, id AS x FROM customers ORDER BY x
scatter: SELECT id, country FROM customers ORDER BY country NULLS FIRST, since DESC, id
scatter: SELECT id, credit FROM customers ORDER BY credit DESC, id
scatter: SELECT id FROM customers ORDER BY score DESC NULLS LAST, id
scatter: SELECT id FROM customers ORDER BY vip, lower(name), id
scatter: SELECT id FROM customers ORDER BY id % 7, credit + 1, id
scatter: SELECT customer_id, id, gap FROM orders ORDER BY gap, id
scatter: SELECT id, placed FROM orders ORDER BY placed DESC LIMIT 20
scatter: SELECT id, date_trunc('month', placed) AS month FROM orders ORDER BY month, id
scatter: SELECT id FROM orders ORDER BY status, units, id
scatter: SELECT word, uses FROM words ORDER BY word
scatter: SELECT word FROM words ORDER BY first_seen, word DESC
scatter: SELECT id FROM customers ORDER BY CASE WHEN vip THEN 0 ELSE 1 END, id
scatter: SELECT id FROM customers ORDER BY coalesce(credit, 0), id
scatter: SELECT id FROM customers ORDER BY since + interval '1 day', id
scatter: SELECT id FROM customers ORDER BY nick COLLATE "C", id
scatter: SELECT c.id, o.id, o.total FROM customers c JOIN orders o ON o.customer_id = c.id
scatter: SELECT c.id, o.id FROM customers c, orders o WHERE o.customer_id = c.id AND c.country = 'DE' ORDER BY o.id
scatter: SELECT c.name, o.id, l.number FROM customers c JOIN orders o ON o.customer_id = c.id JOIN lines l ON l.customer_id = o.customer_id AND l.order_id = o.id ORDER BY 2, 3
scatter: SELECT c.id, o.id FROM customers c LEFT JOIN orders o ON o.customer_id = c.id
scatter: SELECT c.id, o.id FROM orders o RIGHT JOIN customers c ON o.customer_id = c.id AND o.total > 100
scatter: SELECT l.order_id, p.label FROM lines l JOIN products p ON p.id = l.product_id
scatter: SELECT l.order_id, p.label FROM lines l LEFT JOIN products p ON p.id = l.product_id
scatter: SELECT * FROM orders JOIN lines USING (customer_id) WHERE order_id = id
scatter: SELECT c.id FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id AND o.total > 500)
scatter: SELECT c.id FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)
scatter: SELECT c.id FROM customers c WHERE c.id IN (SELECT customer_id FROM orders WHERE status = 'lost')
scatter: SELECT c.id, (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) AS n FROM customers c
scatter: SELECT c.id, (SELECT max(price) FROM products) AS top FROM customers c
scatter: SELECT s.id, s.n FROM (SELECT customer_id AS id, count(*) AS n FROM orders GROUP BY customer_id) s JOIN customers c ON c.id = s.id
scatter: SELECT * FROM (SELECT id, name FROM customers WHERE vip) s WHERE s.id > 10
scatter: WITH v AS (SELECT id, country FROM customers WHERE vip) SELECT * FROM v
scatter: SELECT * FROM big_orders ORDER BY customer_id, id
scatter: SELECT id, twice(id) FROM customers
scatter: SELECT id, row_number() OVER (PARTITION BY customer_id ORDER BY id) FROM orders
scatter: SELECT id, sum(total) OVER w FROM orders WINDOW w AS (PARTITION BY customer_id ORDER BY id)
scatter: SELECT customer_id, count(*), sum(total) FROM orders GROUP BY customer_id
scatter: SELECT customer_id, count(*) FROM orders GROUP BY customer_id HAVING count(*) > 2 ORDER BY count(*) DESC, customer_id
scatter: SELECT c.id, c.name, sum(o.total) AS t FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY t DESC NULLS LAST, c.id LIMIT 7
scatter: SELECT customer_id, array_agg(id ORDER BY id), stddev(units) FROM orders GROUP BY 1
scatter: SELECT DISTINCT customer_id FROM orders
scatter: SELECT DISTINCT country FROM customers
scatter: SELECT DISTINCT country FROM customers ORDER BY country
scatter: SELECT DISTINCT country, vip FROM customers ORDER BY vip, country DESC LIMIT 3
scatter: SELECT DISTINCT name FROM customers ORDER BY 1 OFFSET 2
scatter: SELECT DISTINCT ON (country) country, id FROM customers ORDER BY country, id DESC
scatter: SELECT DISTINCT ON (status) status, id FROM orders ORDER BY status, id
scatter: SELECT DISTINCT total FROM orders
scatter: SELECT count(*) FROM customers
scatter: SELECT count(*), count(credit), sum(credit), avg(credit), min(credit), max(credit) FROM customers
scatter: SELECT sum(id), avg(id), min(id), max(id) FROM orders
scatter: SELECT sum(units), avg(units), min(units), max(units), bit_and(units), bit_or(units) FROM orders
scatter: SELECT sum(quantity), avg(quantity) FROM lines WHERE quantity > 100
scatter: SELECT min(name), max(name), min(country), min(since), max(placed), min(gap) FROM customers c JOIN orders o ON o.customer_id = c.id
scatter: SELECT bool_and(vip), bool_or(vip), every(vip) FROM customers
scatter: SELECT sum(weight), avg(weight), min(weight), max(weight) FROM orders
scatter: SELECT country, count(*) FROM customers GROUP BY country
scatter: SELECT country, count(*) AS n FROM customers GROUP BY country ORDER BY n DESC, country
scatter: SELECT status, avg(total) AS a, sum(total) FROM orders GROUP BY status ORDER BY a
scatter: SELECT status AS s, count(*) FILTER (WHERE total > 100) FROM orders GROUP BY s ORDER BY s LIMIT 2
scatter: SELECT date_trunc('month', placed), count(*), sum(total) FROM orders GROUP BY 1 ORDER BY 1
scatter: SELECT p.label, sum(l.quantity) FROM lines l JOIN products p ON p.id = l.product_id GROUP BY p.label ORDER BY 2 DESC, 1
scatter: SELECT count(DISTINCT customer_id) FROM orders
scatter: SELECT country, count(DISTINCT id), max(score) FROM customers GROUP BY country
scatter: SELECT 'x' AS k, 1, count(*) FROM customers
scatter: SELECT 5 AS k, vip, count(*) FROM customers GROUP BY vip ORDER BY vip NULLS FIRST
workbench: SELECT count(*) + 1 FROM customers
workbench: SELECT count(*) FROM customers HAVING count(*) > 1000
workbench: SELECT country, count(*) FROM customers GROUP BY country HAVING count(*) > 5 ORDER BY 1
workbench: SELECT country, max(credit) - min(credit) AS spread FROM customers GROUP BY country ORDER BY country
workbench: SELECT country, round(avg(credit), 2), sum(credit) / count(*) FROM customers GROUP BY country ORDER BY country
workbench: SELECT upper(country), avg(score) * 2 FROM customers GROUP BY country ORDER BY 1
workbench: SELECT status, count(*) FROM orders GROUP BY status ORDER BY max(total) DESC
workbench: SELECT country, count(*), rank() OVER (ORDER BY count(*) DESC) FROM customers GROUP BY country
workbench: SELECT count(DISTINCT status) FROM orders
workbench: SELECT country, string_agg(name, ',' ORDER BY id) FROM customers GROUP BY country ORDER BY 1
workbench: SELECT status, stddev(total), percentile_cont(0.5) WITHIN GROUP (ORDER BY units) FROM orders GROUP BY status
workbench: SELECT country, vip, count(*) FROM customers GROUP BY ROLLUP (country, vip)
workbench: SELECT id, nick FROM customers ORDER BY nick, id
workbench: SELECT min(nick), max(nick) FROM customers
workbench: SELECT id, tags FROM customers ORDER BY tags, id
workbench: SELECT id, row_number() OVER (ORDER BY id DESC) FROM customers
workbench: SELECT o.id, w.word FROM orders o JOIN words w ON w.uses = o.units
workbench: SELECT a.id, b.id FROM customers a JOIN customers b ON a.country = b.country AND a.id < b.id WHERE a.id < 9
workbench: SELECT p.id, l.order_id FROM products p LEFT JOIN lines l ON l.product_id = p.id
workbench: SELECT p.id FROM products p WHERE NOT EXISTS (SELECT 1 FROM lines l WHERE l.product_id = p.id)
workbench: SELECT c.id, o.id FROM customers c FULL JOIN orders o ON o.customer_id = c.id
workbench: SELECT c.id FROM customers c WHERE c.credit > (SELECT avg(credit) FROM customers)
workbench: SELECT c.id, s.value FROM customers c JOIN settings s ON s.value = c.id
workbench: SELECT id FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)
workbench: SELECT id FROM customers UNION SELECT customer_id FROM orders
workbench: SELECT id FROM customers INTERSECT SELECT value FROM settings ORDER BY 1
workbench: SELECT * FROM (SELECT * FROM customers ORDER BY id LIMIT 5) s ORDER BY id
workbench: SELECT sum(n) FROM (SELECT count(*) AS n FROM orders GROUP BY status) s
workbench: WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, (SELECT count(*) FROM orders WHERE units = i) FROM n
workbench: WITH t AS (SELECT status, count(*) AS n FROM orders GROUP BY status) SELECT * FROM t WHERE n = (SELECT max(n) FROM t)
workbench: SELECT * FROM country_totals ORDER BY country
workbench: SELECT v.country, c.id FROM country_totals v JOIN customers c ON c.country = v.country ORDER BY 2
workbench: SELECT c.name, count(*) FROM customers c JOIN words w ON w.uses = c.id GROUP BY c.id ORDER BY c.id
workbench: SELECT id FROM customers ORDER BY id LIMIT 2 + 3
workbench: SELECT id FROM customers ORDER BY id FETCH FIRST 3 ROWS WITH TIES
workbench: SELECT count(c), json_agg(c ORDER BY c.id) FROM customers c WHERE id < 4
workbench: SELECT c.id, x.id FROM customers c, LATERAL (SELECT o.id FROM orders o WHERE o.customer_id = c.id ORDER BY o.id LIMIT 1) x ORDER BY 1
workbench: SELECT public.customers.id FROM public.customers, generate_series(1, 2) g WHERE g <> (SELECT count(*) FROM words) ORDER BY 1
workbench: SELECT g, count(c.id) FROM generate_series(0, 3) g LEFT JOIN customers c ON c.id % 4 = g GROUP BY g ORDER BY g
scatter: SELECT c.id FROM customers c NATURAL JOIN products p
workbench: SELECT c.id FROM customers c NATURAL JOIN settings s
workbench: SELECT x.b FROM customers AS x (a, b) JOIN words w ON w.uses = x.a ORDER BY 1
refuse: SELECT ctid, count(*) FROM customers c WHERE credit > (SELECT avg(credit) FROM customers) GROUP BY 1
workbench: SELECT twice(max(id)) FROM customers WHERE credit > (SELECT avg(credit) FROM customers)
workbench: SELECT m.mood, w.word FROM moods m JOIN words w ON w.uses = m.id
refuse: SELECT c FROM customers c WHERE credit > (SELECT avg(credit) FROM customers)
refuse: SELECT c.relname, o.id FROM pg_class c JOIN orders o ON o.units = c.relnatts
refuse: SELECT * FROM orders JOIN nowhere ON true
refuse: SELECT * FROM words TABLESAMPLE SYSTEM (50), orders WHERE uses = id
refuse: SELECT 'customers'::regclass, count(*) FROM customers WHERE credit > (SELECT avg(credit) FROM customers)
workbench: SELECT country, sum(credit) FILTER (WHERE vip) + 1 AS s, avg(id) + 0, min(since), max(nick) || '!' AS top FROM customers GROUP BY country ORDER BY s NULLS LAST, country
workbench: SELECT sum(total) / count(*), avg(total) + 0, avg(weight) * 1, sum(gap), avg(gap) FROM orders
workbench: SELECT sum(quantity) + 0, avg(quantity) + 0, count(quantity) + 0 FROM lines WHERE quantity > 1000
workbench: SELECT nick, count(*) FROM customers GROUP BY nick ORDER BY nick
workbench: SELECT tags, count(*), min(tags) FROM customers GROUP BY tags ORDER BY tags
workbench: SELECT status, placed::date AS d, sum(units) FROM orders GROUP BY status, d HAVING sum(units) > 50 AND status <> 'lost' ORDER BY 2, 1
workbench: SELECT DISTINCT count(*) FROM orders GROUP BY status
workbench: SELECT country, sum(sum(credit)) OVER (ORDER BY country) FROM customers GROUP BY country ORDER BY 1
workbench: SELECT CASE WHEN count(*) > 20 THEN country ELSE 'few' END, bool_or(vip) IS TRUE FROM customers GROUP BY country ORDER BY country
workbench: SELECT status FROM orders GROUP BY status HAVING avg(total) > 100 ORDER BY max(placed) LIMIT 2
workbench: SELECT count(DISTINCT customer_id) * 2, sum(weight::real) + 0::real FROM orders
workbench: WITH o AS (SELECT * FROM orders WHERE units > 10) SELECT o.status, max(c.credit) + min(o.id) FROM o JOIN customers c ON c.id = o.customer_id GROUP BY o.status ORDER BY 1
workbench: SELECT status, max(units) - 1 FROM orders GROUP BY status, gap ORDER BY gap, status
workbench: SELECT status, (SELECT count(*) FROM words) FROM orders GROUP BY status ORDER BY status
workbench: SELECT mood, count(*) FROM moods GROUP BY mood ORDER BY mood DESC
workbench: SELECT id, mood FROM moods ORDER BY mood, id
workbench: SELECT max(mood), min(mood::text), 'happy'::mood > min(mood) FROM moods
workbench: SELECT m.id, w.word FROM moods m JOIN words w ON w.uses = m.id WHERE m.mood = 'sad' AND twice(m.id) > 3 ORDER BY w.word
refuse: SELECT counts_customers(max(id)) FROM customers WHERE credit > (SELECT avg(credit) FROM customers)
scatter: SELECT id FROM customers WHERE vip ORDER BY id FOR UPDATE
scatter: SELECT id FROM customers FOR NO KEY UPDATE SKIP LOCKED
refuse: SELECT id FROM customers ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED
refuse: SELECT o.id FROM orders o JOIN words w ON w.uses = o.units FOR UPDATE
workbench: WITH v AS (SELECT id, country FROM customers WHERE vip) SELECT a.id, b.id FROM v a JOIN v b ON a.country = b.country
workbench: WITH v AS (SELECT id, credit FROM customers) SELECT id FROM v WHERE credit = (SELECT max(credit) FROM v)
workbench: TABLE country_totals ORDER BY country
workbench: SELECT c.id FROM ONLY (customers) c JOIN words * ON words.uses = c.id ORDER BY 1 /* the end */ -- of it
scatter: SELECT c.id FROM public."customers" c WHERE (c.since + interval '1 day') AT TIME ZONE 'UTC' > '2020-05-01' ORDER BY c.id DESC OFFSET 3
workbench: SELECT public.customers.id, "words".word FROM public . customers, "public".words WHERE public.words.uses = public.customers.id ORDER BY 1, 2
workbench: SELECT count(DISTINCT status), count(*), sum(units), avg(total) FROM orders
workbench: SELECT status, count(DISTINCT units % 7), string_agg(DISTINCT status, '-' ORDER BY status), sum(DISTINCT units), max(total) FROM orders GROUP BY status ORDER BY status
workbench: SELECT count(DISTINCT country), count(id), sum(id), min(credit) FROM customers WHERE id > 5000
workbench: SELECT country, array_agg(DISTINCT vip ORDER BY vip DESC) FROM customers GROUP BY country HAVING count(DISTINCT vip) > 1 ORDER BY 1
workbench: SELECT (SELECT sum(c.id)) FROM customers c
workbench: SELECT count(*) FROM customers c HAVING EXISTS (SELECT 1 FROM words WHERE uses < max(c.id))
workbench: SELECT id FROM customers ORDER BY random() < 2, id
