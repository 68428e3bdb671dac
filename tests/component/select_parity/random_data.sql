INSERT INTO a SELECT i % 9, nullif(i % 5, 4), i * 7 % 4 FROM generate_series(1, 13) i;
INSERT INTO b SELECT i * 5 % 11, i % 4, nullif(i % 6, 3) FROM generate_series(1, 14) i;
INSERT INTO c SELECT i % 7, nullif(i * 3 % 8, 7), i % 5 FROM generate_series(1, 11) i;
INSERT INTO r SELECT i, i % 3 FROM generate_series(0, 4) i;
INSERT INTO l SELECT i, nullif(i % 4, 2) FROM generate_series(0, 4) i;
