#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// The arguments of a call, by the names that the function declares. Absent and NULL are nullopt.
///
/// Errors  42883 for too many arguments, an unknown name, or a required one that is missing; 22004 for a required NULL
class Arguments {
   public:
    /// `names`: the function's parameters in order; the first `required` of them must be there.
    Arguments(const planner::AdminCall& call, const Request& request, std::initializer_list<std::string_view> names,
              std::size_t required);

    const std::optional<std::string>& operator[](std::size_t i) const { return values_[i]; }
    /// A required one.
    const std::string& at(std::size_t i) const { return *values_[i]; }

   private:
    std::vector<std::optional<std::string>> values_;
};

/// The text of a literal or a parameter. Parameters of our functions are text, whose binary form is the same.
std::optional<std::string> value_of(const planner::ValueRef& value, const Request& request);

}  // namespace pgmosaic::coordinator
