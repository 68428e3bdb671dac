#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "coordinator/live.h"

namespace pgmosaic::coordinator {

/// How many clients each user and each database has. Serves several cores: one mutex, held for two look-ups at the begin and at
/// the end of a session.
class ClientSeats {
   public:
    /// One client's; it is given back when it leaves scope.
    class Seat {
       public:
        Seat() = default;
        Seat(ClientSeats* seats, std::string user, std::string database)
            : seats_(seats), user_(std::move(user)), database_(std::move(database)) {}
        Seat(Seat&& other) noexcept { *this = std::move(other); }
        Seat& operator=(Seat&& other) noexcept {
            leave();
            seats_ = std::exchange(other.seats_, nullptr);
            user_ = std::move(other.user_);
            database_ = std::move(other.database_);
            return *this;
        }
        ~Seat() { leave(); }

       private:
        void leave();
        ClientSeats* seats_ = nullptr;
        std::string user_;
        std::string database_;
    };

    /// Errors: PgError 53300 in PostgreSQL's words.
    Seat take(const std::string& user, const std::string& database, const Live& live);

   private:
    using Counts = std::map<std::string, int>;
    friend class Seat;
    static void drop(Counts& counts, const std::string& name);
    std::mutex mutex_;
    Counts users_;
    Counts databases_;
};

}  // namespace pgmosaic::coordinator
