#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>
#include <exception>
#include <string>
#include <utility>

#include "base/sqlstate.h"

namespace pgmosaic {

/// What an ErrorResponse says. Message: one line, lower case, no full stop; detail and hint: whole sentences.
struct Error {
    SqlState code = sqlstate::kInternalError;
    std::string message;
    std::string detail{};
    std::string hint{};
    std::string context{};
    std::string severity = "ERROR";
    int position = 0;  ///< 1-based character in the statement; 0: none
};

/// Expected; the caller chooses.
template <class T>
using Result = boost::system::result<T, Error>;

/// The statement is over. One place catches it: the session loop.
class PgError : public std::exception {
   public:
    explicit PgError(Error error) : error_(std::move(error)) {}
    const Error& error() const { return error_; }
    const char* what() const noexcept override { return error_.message.c_str(); }

   private:
    Error error_;
};

/// `0A000` with the reason and the way out: what cannot be spread is refused, never answered wrongly.
Error refusal(std::string message, std::string detail = {}, std::string hint = {});

[[noreturn]] void check_failed(const char* condition, const char* what, boost::source_location where);

/// Lets `Result<T>::value()` throw what it holds.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw PgError(error);
}

}  // namespace pgmosaic

/// We are wrong: ends the process, in release too. Never reached by bytes from a client or a server.
#define PGM_CHECK(condition, what) \
    ((condition) ? static_cast<void>(0) : ::pgmosaic::check_failed(#condition, what, BOOST_CURRENT_LOCATION))
