#include "coordinator/client_seats.h"

#include "base/error.h"

namespace pgmosaic::coordinator {

namespace {

Error no_seat(const char* kind, const std::string& name) {
    return Error{.code = sqlstate::kTooManyConnections,
                 .message = std::string("too many connections for ") + kind + " \"" + name + "\"",
                 .severity = "FATAL"};
}

int count_of(const std::map<std::string, int>& counts, const std::string& name) {
    const auto found = counts.find(name);
    return found == counts.end() ? 0 : found->second;
}

bool is_full(int taken, int bound) { return bound > 0 && taken >= bound; }

}  // namespace

ClientSeats::Seat ClientSeats::take(const std::string& user, const std::string& database, const Live& live) {
    const std::lock_guard lock(mutex_);
    if (is_full(count_of(users_, user), live.clients_per_user_max)) throw PgError(no_seat("role", user));
    if (is_full(count_of(databases_, database), live.clients_per_database_max)) throw PgError(no_seat("database", database));
    ++users_[user];
    ++databases_[database];
    return {this, user, database};
}

void ClientSeats::Seat::leave() {
    if (seats_ == nullptr) return;
    const std::lock_guard lock(seats_->mutex_);
    drop(seats_->users_, user_);
    drop(seats_->databases_, database_);
    seats_ = nullptr;
}

void ClientSeats::drop(Counts& counts, const std::string& name) {
    const auto found = counts.find(name);
    if (found != counts.end() && --found->second == 0) counts.erase(found);
}

}  // namespace pgmosaic::coordinator
