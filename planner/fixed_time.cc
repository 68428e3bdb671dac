#include "planner/fixed_time.h"

#include "planner/internal/time_places.h"

namespace pgmosaic::planner {

bool has_time_places(std::string_view text) {
    return text.find(kTransactionTimePlace) != std::string_view::npos || text.find(kStatementTimePlace) != std::string_view::npos;
}

std::string with_times(std::string_view text, std::string_view transaction_time, std::string_view statement_time) {
    std::string result;
    for (std::size_t at = 0; at < text.size();) {
        const std::string_view rest = text.substr(at);
        const bool transaction = rest.substr(0, kTransactionTimePlace.size()) == kTransactionTimePlace;
        if (!transaction && rest.substr(0, kStatementTimePlace.size()) != kStatementTimePlace) {
            result += text[at++];
            continue;
        }
        result += transaction ? transaction_time : statement_time;
        at += kTransactionTimePlace.size();
    }
    return result;
}

}  // namespace pgmosaic::planner
