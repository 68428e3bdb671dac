#include "cli/internal/shop.h"

namespace pgmosaic::cli {

std::vector<std::string> shop_schema(bool distribute) {
    std::vector<std::string> statements{
        "CREATE TABLE customers (customer_id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, "
        "region text NOT NULL, birthday date, balance numeric(12,2) NOT NULL, vip boolean NOT NULL, "
        "created_at timestamptz NOT NULL)",
        "CREATE TABLE products (product_id integer PRIMARY KEY, sku text NOT NULL UNIQUE, name text NOT NULL, "
        "category text NOT NULL, price numeric(10,2) NOT NULL, weight_grams integer, discontinued boolean NOT NULL)",
        "CREATE TABLE orders (customer_id bigint, order_id bigint, ordered_at timestamptz NOT NULL, "
        "status text NOT NULL, total numeric(10,2) NOT NULL, ship_to text NOT NULL, note text, "
        "PRIMARY KEY (customer_id, order_id))",
        "CREATE TABLE order_lines (customer_id bigint, order_id bigint, line_number integer, "
        "product_id integer NOT NULL, quantity integer NOT NULL, unit_price numeric(10,2) NOT NULL, "
        "PRIMARY KEY (customer_id, order_id, line_number))"};
    if (distribute) {
        statements.insert(statements.end(),
                          {"SELECT create_distributed_table('customers', 'customer_id')",
                           "SELECT create_reference_table('products')",
                           "SELECT create_distributed_table('orders', 'customer_id', colocate_with := 'customers')",
                           "SELECT create_distributed_table('order_lines', 'customer_id', colocate_with := 'customers')"});
    }
    return statements;
}

std::vector<std::string> shop_constraints() {
    return {"ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers",
            "ALTER TABLE order_lines ADD FOREIGN KEY (customer_id, order_id) REFERENCES orders",
            "ALTER TABLE order_lines ADD FOREIGN KEY (product_id) REFERENCES products",
            "CREATE INDEX ON orders (ordered_at)", "CREATE INDEX ON order_lines (product_id)"};
}

}  // namespace pgmosaic::cli
