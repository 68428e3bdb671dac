#include "coordinator/internal/sequence_state.h"

#include <algorithm>
#include <boost/json.hpp>

namespace pgmosaic::coordinator {

void SequenceState::filled(const std::string& sequence, const std::string& value) {
    last_ = {Where::kFilled, value};
    values_[sequence] = last_;
}

void SequenceState::forget_values() {
    for (auto& [name, value] : values_) value = {Where::kUnknown, {}};
}

void SequenceState::filled_any() {
    any_ = true;
    forget_values();
    last_ = {Where::kUnknown, {}};
}

void SequenceState::moved_at_home(const std::vector<std::string>& sequences) {
    last_ = {};
    if (sequences.empty()) forget_values();
    for (const std::string& sequence : sequences) {
        if (any_) values_[sequence] = {};
        else values_.erase(sequence);
    }
}

void SequenceState::ran_code_at_home() {
    if (at_home()) return;
    forget_values();
    if (last_.where == Where::kFilled) last_ = {Where::kUnknown, {}};
}

void SequenceState::moving(const std::vector<std::string>& sequences) {
    for (const std::string& sequence : sequences) values_[sequence] = last_ = {Where::kUnknown, {}};
}

bool SequenceState::at_home() const {
    return !any_ && last_.where == Where::kHome &&
           std::all_of(values_.begin(), values_.end(), [](const auto& each) { return each.second.where == Where::kHome; });
}

std::string SequenceState::document() const {
    const auto told = [](const Value& value) {
        if (value.where == Where::kUnknown) return boost::json::value();
        return boost::json::value(value.where == Where::kHome ? std::string("home") : value.text);
    };
    boost::json::object values;
    for (const auto& [name, value] : values_) values[name] = told(value);
    return boost::json::serialize(boost::json::object{{"values", std::move(values)}, {"any", any_}, {"last", told(last_)}});
}

const char* const kSequenceSchema = R"sql(
CREATE OR REPLACE FUNCTION pg_mosaic.unknown_sequence() RETURNS void LANGUAGE plpgsql AS $unknown$
BEGIN
    RAISE feature_not_supported USING MESSAGE = 'cannot tell which value currval() or lastval() had last',
        DETAIL = 'Values were handed out for rows of sharded tables and by functions or statements of this session.', HINT = 'Use INSERT … RETURNING.';
END $unknown$;
CREATE OR REPLACE FUNCTION pg_mosaic.currval(sequence regclass, state jsonb) RETURNS bigint LANGUAGE plpgsql STRICT AS $currval$
DECLARE
    known jsonb;
BEGIN
    SELECT v.value INTO known FROM pg_catalog.jsonb_each(state OPERATOR(pg_catalog.->) 'values') v
     WHERE pg_catalog.to_regclass(v.key) OPERATOR(pg_catalog.=) sequence;
    IF NOT FOUND AND NOT (state OPERATOR(pg_catalog.->>) 'any')::pg_catalog.bool THEN known := '"home"'; END IF;
    IF known OPERATOR(pg_catalog.=) '"home"' THEN RETURN pg_catalog.currval(sequence); END IF;
    IF NOT pg_catalog.has_sequence_privilege(sequence, 'USAGE, SELECT') THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied for sequence ' || (SELECT relname FROM pg_catalog.pg_class WHERE oid = sequence);
    END IF;
    IF known IS NULL OR known OPERATOR(pg_catalog.=) 'null' THEN PERFORM pg_mosaic.unknown_sequence(); END IF;
    RETURN (known OPERATOR(pg_catalog.#>>) '{}')::pg_catalog.int8;
END $currval$;
CREATE OR REPLACE FUNCTION pg_mosaic.lastval(state jsonb) RETURNS bigint LANGUAGE plpgsql STRICT AS $lastval$
BEGIN
    IF state OPERATOR(pg_catalog.->>) 'last' IS NULL THEN PERFORM pg_mosaic.unknown_sequence(); END IF;
    IF state OPERATOR(pg_catalog.->>) 'last' OPERATOR(pg_catalog.=) 'home' THEN RETURN pg_catalog.lastval(); END IF;
    RETURN (state OPERATOR(pg_catalog.->>) 'last')::pg_catalog.int8;
END $lastval$;
)sql";

}  // namespace pgmosaic::coordinator
