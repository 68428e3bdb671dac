// Prints the sample as a script for psql: sample_sql [ORDERS [SEED [plain|distributed]]].
#include <iostream>
#include <string>

#include "cli/sample.h"

int main(int count, char** arguments) {
    pgmosaic::cli::SampleOptions options;
    options.distribute = false;
    if (count > 1) options.orders = std::stoull(arguments[1]);
    if (count > 2) options.seed = std::stoull(arguments[2]);
    if (count > 3) options.distribute = std::string(arguments[3]) == "distributed";
    const auto written = write_sample(options, [](std::string_view text) { std::cout << text; });
    if (written.has_error()) {
        std::cerr << written.error().message << '\n';
        return 1;
    }
    return std::cout.flush() ? 0 : 1;
}
