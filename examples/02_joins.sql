-- Tables of one key live together: the rows of a customer, and of its orders, are on one shard.
CREATE TABLE customers (customer_id int PRIMARY KEY, name text);
CREATE TABLE orders (customer_id int, order_id int, product_id int, pieces int, PRIMARY KEY (customer_id, order_id));
-- A small table that everybody joins with is whole on every shard.
CREATE TABLE products (product_id int PRIMARY KEY, name text, price numeric(8,2));

INSERT INTO products VALUES (1, 'tea', 4.50), (2, 'kettle', 39.00), (3, 'cup', 7.20);
INSERT INTO customers SELECT g, 'customer ' || g FROM generate_series(1, 20) g;
INSERT INTO orders SELECT 1 + g % 20, g, 1 + g % 3, 1 + g % 4 FROM generate_series(1, 200) g;

SELECT create_distributed_table('customers', 'customer_id');
SELECT create_distributed_table('orders', 'customer_id', colocate_with := 'customers');
SELECT create_reference_table('products');
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers, ADD FOREIGN KEY (product_id) REFERENCES products;

-- Joined inside one shard.
SELECT c.name, o.order_id, p.name AS product, o.pieces * p.price AS price
  FROM customers c JOIN orders o USING (customer_id) JOIN products p USING (product_id)
 WHERE c.customer_id = 5 ORDER BY o.order_id LIMIT 4;

-- Joined inside each shard, added up over all of them.
SELECT p.name, count(*) AS orders, sum(o.pieces * p.price) AS turnover
  FROM orders o JOIN products p USING (product_id) GROUP BY p.name ORDER BY turnover DESC;

DROP TABLE orders, customers, products;
