#pragma once

#include <string>

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// A statement whose text was changed before it can be planned: a request for the new text, with the parameters of the old one.
///
/// Lifetime  what request() gives borrows from this and from `outer`
class Replanned {
   public:
    Replanned() = default;
    Replanned(const Replanned&) = delete;
    Replanned& operator=(const Replanned&) = delete;

    /// Throws PgError if `sql` cannot be read.
    void plan(Session& session, const Request& outer, std::string sql) {
        sql_ = std::move(sql);
        session.core().planner(session.database()).plan(sql_, session.environment(), planned_);
        if (planned_.text->syntax_error) throw PgError(*planned_.text->syntax_error);
        prepared_.sql = sql_;
        if (outer.prepared == nullptr) return;
        prepared_.types = outer.prepared->types;
        prepared_.description = outer.prepared->description;
    }

    const planner::Statement& statement() const { return planned_.text->statements.at(0); }
    Request request(const Request& outer) const {
        return Request{statement(), sql_, planned_.literals, outer.bind, outer.prepared == nullptr ? nullptr : &prepared_, outer.alone};
    }

   private:
    std::string sql_;
    planner::Planned planned_;
    PreparedStatement prepared_;
};

}  // namespace pgmosaic::coordinator
