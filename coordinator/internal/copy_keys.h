#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "coordinator/internal/copy_split.h"
#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// Which shard a row of COPY data belongs to, by its key as it is written in the file.
///
/// Core    the session's
/// Errors  23502 for a NULL key, 0A000 where the client's encoding hides what the key's bytes are on the servers, 22P03; a key
///         that PostgreSQL does not take goes to the home shard, which says why
class CopyKeys {
   public:
    CopyKeys(Session& session, const planner::Table& table, const planner::Copy& copy);

    /// nullopt: written in a form that only the server can read: ask().
    std::optional<ShardId> find(const CopyRow& row) const;
    /// The same, told by the home shard, on a server session of its own in the client's settings.
    Task<ShardId> ask(const CopyRow& row);

   private:
    static constexpr std::size_t kAnswersMax = 10000;

    ShardId on_null() const;
    void check_encoding(std::string_view key) const;
    Task<> open_aside();
    ShardId owner(Bucket bucket) const { return owners_->owner(bucket); }

    Session& session_;
    const planner::Table& table_;
    const planner::Column& column_;
    shardmap::MapPointer map_;
    const shardmap::Ownership* owners_ = nullptr;
    ShardId home_;
    bool binary_;
    bool utf8_;      ///< the key's bytes are what the servers will store
    bool forced_;    ///< FORCE_NULL or FORCE_NOT_NULL may say otherwise than the file what is NULL
    backend::Lease aside_;
    std::unordered_map<std::string, ShardId> answers_;
};

}  // namespace pgmosaic::coordinator
