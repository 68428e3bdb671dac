#pragma once

#include <map>
#include <string>
#include <vector>

namespace pgmosaic::coordinator {

/// What currval() and lastval() of one client are, as far as his own session on the home shard does not know it: rows of sharded tables
/// get values of sequences from a session of pgmosaic's own. Sequences are named as `'…'::regclass` reads them, with their schema.
class SequenceState {
   public:
    /// A row took this value; nothing was taken later.
    void filled(const std::string& sequence, const std::string& value);
    /// Rows took values of sequences that are not known.
    void filled_any();
    /// The client's own session moved these; none: it is not known which.
    void moved_at_home(const std::vector<std::string>& sequences);
    /// The client's own session ran functions that may have moved any.
    void ran_code_at_home();
    /// A statement is about to move these, at a time that cannot be told from that of its calls of currval() and lastval().
    void moving(const std::vector<std::string>& sequences);

    /// The client's own session knows all that there is to know.
    bool at_home() const;
    /// For pg_mosaic.currval() and lastval(): {"values": {name: value | "home" | null}, "any": …, "last": value | "home" | null}. What is
    /// null is not known; what has no value is at home, or not known if any sequence was filled.
    std::string document() const;

   private:
    enum class Where : unsigned char { kHome, kFilled, kUnknown };
    struct Value {
        Where where = Where::kHome;
        std::string text{};
    };

    void forget_values();

    std::map<std::string, Value> values_;
    Value last_;
    bool any_ = false;
};

/// The functions that read the document.
extern const char* const kSequenceSchema;

}  // namespace pgmosaic::coordinator
