#include <algorithm>
#include <exception>

#include "base/task_group.h"
#include "coordinator/execute.h"
#include "coordinator/internal/copy_client.h"
#include "coordinator/internal/copy_keys.h"
#include "coordinator/internal/copy_split.h"
#include "coordinator/internal/copy_target.h"

/// COPY … FROM STDIN: the client's data is taken apart into rows by the splitter, each row's bytes go unchanged to the COPY that
/// runs on its shard. Shards are written to here and read from by a task each: a shard that talks (notices of triggers) while
/// it is written to must not stop us.
namespace pgmosaic::coordinator {

using planner::Copy;
using planner::Placement;

namespace {

std::string column_list(const planner::Table& table, const std::vector<const planner::Column*>& columns) {
    std::string names;
    for (const planner::Column* column : columns) names += (names.empty() ? "\"" : ", \"") + column->name + "\"";
    return "table \"" + table.name + "\" has defaults for " + names;
}

/// Columns that the file does not name and whose defaults each shard would make up by itself.
std::vector<const planner::Column*> columns_made_by_shards(const planner::Table& table, const Copy& copy, bool any_volatile) {
    std::vector<const planner::Column*> found;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const planner::Column& column = table.columns[i];
        const bool named = std::find(copy.columns.begin(), copy.columns.end(), static_cast<int>(i)) != copy.columns.end();
        if (named || column.generated) continue;
        if (column.default_needs_home || column.identity != 0 || (any_volatile && column.default_is_volatile)) found.push_back(&column);
    }
    return found;
}

void check_copy(const planner::Table& table, const Copy& copy) {
    if (copy.placement == Placement::kLocal) return;
    const bool reference = copy.placement == Placement::kReference;
    if (reference && table.has_row_triggers) {
        throw PgError(refusal("COPY into reference table \"" + table.name + "\" is not supported while it has triggers",
                              "They would run once on each shard.", "Drop the triggers."));
    }
    const auto made = columns_made_by_shards(table, copy, reference);
    if (!made.empty()) {
        throw PgError(refusal("COPY cannot fill in the defaults of a table that lies on several shards",
                              column_list(table, made) + ", which the shards would evaluate each for itself.",
                              "Name the columns and give their values in the file, or use INSERT."));
    }
    if (!reference && copy.key_field < 0) {
        throw PgError(refusal("COPY into sharded table \"" + table.name + "\" needs the shard key in the file",
                              "The rows cannot be spread without their key.",
                              "Name column \"" + table.columns.at(static_cast<std::size_t>(table.key)).name + "\" in the list of columns."));
    }
}

/// One COPY from its first message to its command tag.
class CopyIn {
   public:
    CopyIn(Session& session, const Request& request, const planner::Table* table, asio::any_io_executor executor)
        : session_(session), copy_(*request.statement.copy), table_(table), client_(session.client()), readers_(std::move(executor)),
          sql_(copy_.shard_sql.empty() ? std::string(request.sql) : copy_.shard_sql), statement_(request.statement),
          targets_(session.core().map()->shards().size()) {}

    /// Returns the number of rows. Errors: the statement's; whatever happens, no shard is left within the COPY.
    Task<std::uint64_t> run();

   private:
    Task<> transfer();
    Task<> start();
    Task<CopyTarget*> open(ShardId shard);
    Task<> pass(std::string_view bytes);
    Task<> split(std::string_view bytes);
    Task<> take_rows();
    Task<> take_row(const CopyRow& row);
    Task<> finish();
    Task<> settle();
    void check_encoding();
    [[noreturn]] void throw_failure(const CopyTarget& failed);
    CopyTarget* failed_target();

    Session& session_;
    const Copy& copy_;
    const planner::Table* table_;
    CopyClient client_;
    TaskGroup readers_;
    std::string sql_;
    const planner::Statement& statement_;
    std::vector<std::unique_ptr<CopyTarget>> targets_;  ///< by shard; null: no row for it yet
    std::optional<CopySplitter> splitter_;
    std::optional<CopyKeys> keys_;
    std::string head_;        ///< of the file: every shard gets it
    std::string trailer_;
    std::uint64_t head_lines_ = 0;
    std::uint64_t line_ = 0;  ///< of the client's file
    std::string fail_reason_;
    bool client_failed_ = false;
    bool finishing_ = false;  ///< CopyDone may have been sent
    bool cut_ = false;        ///< the client is gone
};

Task<std::uint64_t> CopyIn::run() {
    std::exception_ptr failure;
    try {
        co_await transfer();
    } catch (const PgError&) {
        failure = std::current_exception();
        fail_reason_ = "the statement failed elsewhere";
    } catch (...) {
        failure = std::current_exception();
        cut_ = true;
    }
    // From here on shards fail because they are told to: whoever failed before is the one to be named.
    CopyTarget* failed = failed_target();
    co_await settle();
    if (failure) std::rethrow_exception(failure);
    if (failed == nullptr) failed = client_failed_ ? targets_[session_.home().value].get() : failed_target();
    if (failed != nullptr && failed->failed()) throw_failure(*failed);
    std::uint64_t rows = 0;
    for (const auto& target : targets_) {
        if (target == nullptr) continue;
        const std::uint64_t own = wire::tag_rows(target->tag());
        rows = copy_.placement == Placement::kReference ? own : rows + own;
        if (target->participant().connection().unreplicated_notice) co_await session_.barrier(target->shard());
    }
    co_return rows;
}

Task<> CopyIn::transfer() {
    session_.consume_current_frame();
    co_await start();
    if (failed_target() != nullptr) co_return;
    while (failed_target() == nullptr) {
        const CopyClient::Piece piece = co_await client_.next();
        if (piece.what == CopyClient::What::kDone) {
            co_await finish();
            co_return;
        }
        if (piece.what == CopyClient::What::kFail) {
            client_failed_ = true;
            fail_reason_ = piece.bytes;
            co_return;
        }
        if (splitter_) co_await split(piece.bytes);
        else co_await pass(piece.bytes);
        client_.used();
    }
}

/// The home shard judges the statement, and the client gets its answer. A sharded table's other shards join with their first
/// row: a file of one tenant is no business of the others, and commits on one shard.
Task<> CopyIn::start() {
    std::vector<ShardId> shards{session_.home()};
    if (copy_.placement == Placement::kReference && session_.transaction().open()) {
        // Writers of a reference table take turns at its leader, so that its copies stay equal (PROTOCOLS 1.11).
        co_await session_.query_shard(session_.home(),
                                      "LOCK TABLE " + planner::quote_identifier(table_->schema) + "." + planner::quote_identifier(table_->name) +
                                          " IN SHARE ROW EXCLUSIVE MODE",
                                      true);
    }
    if (copy_.placement == Placement::kReference) {
        for (ShardId shard : session_.core().map()->shard_ids()) {
            if (shard != session_.home()) shards.push_back(shard);
        }
    } else if (copy_.placement == Placement::kSharded) {
        splitter_.emplace(split_options(copy_));
        keys_.emplace(session_, *table_, copy_);
    }
    CopyTarget* first = nullptr;
    for (ShardId shard : shards) {
        CopyTarget* target = co_await open(shard);
        if (first == nullptr) first = target;
        else readers_.spawn(target->until_ready());
    }
    co_await first->until_answered();
    if (!first->ended()) readers_.spawn(first->until_ready());
    if (first->failed()) co_return;
    if (splitter_) check_encoding();
    session_.client().out() += first->response();
    co_await session_.client().flush();
}

/// Some encodings have bytes of other characters, backslash and quote among them, as the second bytes of theirs: without a
/// decoder for each no border of a row can be trusted.
void CopyIn::check_encoding() {
    const auto& parameters = targets_[session_.home().value]->participant().connection().parameters();
    const auto encoding = parameters.find("client_encoding");
    if (encoding == parameters.end()) return;
    for (const char* embeds : {"SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004"}) {
        if (encoding->second != embeds) continue;
        throw PgError(refusal("COPY into a sharded table is not supported in client encoding " + encoding->second,
                              "Its characters can contain bytes of ASCII characters.", "SET client_encoding TO 'UTF8'."));
    }
}

/// The statement waits in the shard's output, in front of its first rows.
Task<CopyTarget*> CopyIn::open(ShardId shard) {
    const bool rows_follow = copy_.placement != Placement::kSharded || shard != session_.home();
    Participant* participant = co_await session_.use_shard(shard, rows_follow);
    session_.note_state(statement_, participant->connection());
    auto& target = targets_[shard.value] = std::make_unique<CopyTarget>(session_, *participant);
    target->start(sql_);
    if (shard != session_.home() && copy_.placement == Placement::kReference) co_await target->flush();
    co_return target.get();
}

/// All of it goes to every shard that takes part.
Task<> CopyIn::pass(std::string_view bytes) {
    for (auto& target : targets_) {
        if (target == nullptr) continue;
        target->add(bytes);
        if (target->full()) co_await target->flush();
    }
}

Task<> CopyIn::split(std::string_view bytes) {
    splitter_->feed(bytes);
    co_await take_rows();
}

Task<> CopyIn::take_rows() {
    CopyRow row;
    while (splitter_->next(row)) {
        line_ += row.lines;
        if (row.kind == CopyRow::Kind::kRow) {
            auto shard = keys_->find(row);
            CopyTarget* target = shard ? targets_[shard->value].get() : nullptr;
            // The short way, without a coroutine of its own: a shard that is known, with room in its output.
            if (target == nullptr || !target->participant().wrote) {
                co_await take_row(row);
                continue;
            }
            target->add_row(row.bytes, line_, row.lines);
            if (target->full()) co_await target->flush();
        } else if (row.kind == CopyRow::Kind::kHeader) {
            head_ = row.bytes;
            head_lines_ = row.lines;
            if (head_lines_ > 0) targets_[session_.home().value]->add_row(head_, line_, row.lines);
            else targets_[session_.home().value]->add(head_);
        } else if (copy_.format == Copy::Format::kBinary) {
            trailer_ = row.bytes;
        }
    }
}

/// A row whose shard must be asked for, or has not had a row yet.
Task<> CopyIn::take_row(const CopyRow& row) {
    auto shard = keys_->find(row);
    if (!shard) shard = co_await keys_->ask(row);
    CopyTarget* target = targets_[shard->value].get();
    if (target == nullptr) {
        target = co_await open(*shard);
        if (head_lines_ > 0) target->add_row(head_, head_lines_, static_cast<std::uint32_t>(head_lines_));
        else target->add(head_);
        readers_.spawn(target->until_ready());
    }
    target->participant().wrote = true;
    target->add_row(row.bytes, line_, row.lines);
    if (target->full()) co_await target->flush();
}

Task<> CopyIn::finish() {
    if (splitter_) {
        splitter_->finish();
        co_await take_rows();
    }
    if (failed_target() != nullptr) co_return;
    // The rows of one shard outside of a transaction become visible with its end.
    if (!session_.transaction().open()) co_await session_.door();
    finishing_ = true;
    for (auto& target : targets_) {
        if (target == nullptr) continue;
        target->add(trailer_);
        co_await target->finish();
    }
}

CopyTarget* CopyIn::failed_target() {
    for (const auto& target : targets_) {
        if (target != nullptr && target->failed()) return target.get();
    }
    return nullptr;
}

/// Every shard gets out of the COPY: by its end, by being told to fail, or by losing its connection.
Task<> CopyIn::settle() {
    for (auto& target : targets_) {
        if (target == nullptr || target->ended()) continue;
        if (cut_) target->cut();
        else if (!finishing_ && !target->failed()) co_await target->fail(fail_reason_);
    }
    co_await readers_.join();
    for (auto& target : targets_) {
        if (target == nullptr) continue;
        std::string& out = target->participant().connection().out();
        out.clear();
        out.shrink_to_fit();
    }
    if (!cut_) co_await client_.leave();
}

void CopyIn::throw_failure(const CopyTarget& failed) {
    if (auto error = failed.error()) {
        if (copy_.placement != Placement::kLocal && !client_failed_) {
            error->context += (error->context.empty() ? "shard " : "\nshard ") + session_.shard_name(failed.shard());
        }
        throw PgError(std::move(*error));
    }
    if (finishing_) session_.on_connection_lost(true, false);  // throws
    throw PgError(Error{.code = sqlstate::kSerializationFailure,
                        .message = "the server of shard \"" + session_.shard_name(failed.shard()) + "\" was lost; COPY is rolled back",
                        .hint = "Run it again."});
}

}  // namespace

Task<> execute_copy_in(Session& session, const Request& request) {
    const Copy& copy = *request.statement.copy;
    const std::shared_ptr<const planner::Catalog> catalog = session.environment().catalog;
    const planner::Table* table = catalog->find_table(copy.table);
    if (copy.placement != Placement::kLocal) {
        PGM_CHECK(table != nullptr, "COPY into several shards is planned for a table of the catalog");
        check_copy(*table, copy);
    }
    const bool several = session.core().map()->shards().size() > 1;
    const bool own = (several || copy.placement == Placement::kLocal) && session.ensure_transaction();
    CopyIn run(session, request, table, co_await asio::this_coro::executor);
    const std::uint64_t rows = co_await run.run();
    session.release_statement_leases();
    if (own) co_await session.commit();
    session.complete(request, "COPY " + std::to_string(rows));
}

}  // namespace pgmosaic::coordinator
