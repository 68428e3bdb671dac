#include "backend/password.h"

#include <libpq-fe.h>

#include <memory>

namespace pgmosaic::backend {

Result<std::string> scram_verifier_of(const std::string& password) {
    struct Finish {
        void operator()(PGconn* connection) const { PQfinish(connection); }
    };
    // libpq wants a connection, if only for its error message: this one never tries to reach anybody.
    const std::unique_ptr<PGconn, Finish> nobody(PQconnectStart("host=/nowhere port=-1"));
    struct Free {
        void operator()(char* text) const { PQfreemem(text); }
    };
    const std::unique_ptr<char, Free> made(PQencryptPasswordConn(nobody.get(), password.c_str(), "", "scram-sha-256"));
    if (made) return std::string(made.get());
    return Error{.code = sqlstate::kOutOfMemory,
                 .message = std::string("could not hash a password: ") + (nobody ? PQerrorMessage(nobody.get()) : "out of memory")};
}

}  // namespace pgmosaic::backend
