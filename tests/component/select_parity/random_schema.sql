CREATE TABLE a (k integer, x integer, y integer);
CREATE TABLE b (k integer, x integer, z bigint);
CREATE TABLE c (j integer, k integer, x integer);
CREATE TABLE r (id integer, x integer);
CREATE TABLE l (id integer, y integer);
CREATE VIEW va AS SELECT k, x FROM a WHERE x <> 2;
CREATE VIEW vg AS SELECT k, count(*) AS n FROM b GROUP BY k;
CREATE VIEW vj AS SELECT a.k, a.x, b.z FROM a JOIN b ON a.k = b.k;
