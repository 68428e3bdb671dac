#include "coordinator/merge/internal/accumulator.h"

#include <bit>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"
#include "coordinator/merge/internal/bytes.h"
#include "coordinator/merge/internal/key_table.h"
#include "coordinator/merge/internal/numeric.h"
#include "coordinator/merge/internal/text_format.h"
#include "coordinator/merge/internal/value_order.h"
#include "planner/merge_types.h"

namespace pgmosaic::merge {
namespace {

using planner::Combine;
using planner::OutputColumn;
namespace type = planner::type;

[[noreturn]] void out_of_range(const char* what) {
    throw PgError(Error{.code = sqlstate::kNumericValueOutOfRange, .message = what});
}

template <class Int>
Int read(std::string_view value) {
    if (value.size() != sizeof(Int)) {
        throw PgError(Error{.code = sqlstate::kProtocolViolation,
                            .message = "invalid binary value from a shard"});
    }
    return load<Int>(value.data());
}

template <class Float>
struct FloatBits;
template <>
struct FloatBits<float> {
    using type = std::uint32_t;
};
template <>
struct FloatBits<double> {
    using type = std::uint64_t;
};

template <class Float>
Float read_float(std::string_view value) {
    return std::bit_cast<Float>(read<typename FloatBits<Float>::type>(value));
}

template <class Float>
void append_float_bytes(Float value, std::string& out) {
    append(std::bit_cast<typename FloatBits<Float>::type>(value), out);
}

// As float8pl: an infinity that no operand had is an overflow.
template <class Float>
Float add_floats(Float a, Float b) {
    Float sum = a + b;
    if (std::isinf(sum) && !std::isinf(a) && !std::isinf(b))
        out_of_range("value out of range: overflow");
    return sum;
}

// The answer is made here, in binary format, and printed if the client wants text.
class Made : public Accumulator {
 public:
    Made(const OutputColumn& column, bool binary)
        : input_(column.input), type_(column.output_type), binary_(binary) {}

    Value shown(std::uint32_t group, std::string& scratch) const override {
        scratch.clear();
        if (!result(group, scratch)) return std::nullopt;
        if (binary_) return scratch;
        std::size_t text = scratch.size();
        std::string value = scratch;
        append_text(type_, value, scratch);
        return std::string_view(scratch).substr(text);
    }
    Value compared(std::uint32_t group, std::string& scratch) const override {
        scratch.clear();
        return result(group, scratch) ? Value(scratch) : std::nullopt;
    }

 protected:
    // Appends the result in binary format; false: NULL.
    virtual bool result(std::uint32_t group, std::string& out) const = 0;

    std::uint16_t input_;

 private:
    Oid type_;
    bool binary_;
};

class Count final : public Made {
 public:
    using Made::Made;
    void grow() override { counts_.push_back(0); }
    void add(std::uint32_t group, const std::vector<Value>& row) override {
        if (row[input_]) counts_[group] += read<std::int64_t>(*row[input_]);
    }
    std::size_t bytes() const override { return counts_.capacity() * sizeof(std::int64_t); }

 private:
    bool result(std::uint32_t group, std::string& out) const override {
        append(counts_[group], out);
        return true;
    }
    std::vector<std::int64_t> counts_;
};

// Partial results of a fixed size that a function combines; NULL until the first one.
template <class Operation>
class Fold final : public Made {
 public:
    using Made::Made;
    void grow() override { states_.emplace_back(); }
    void add(std::uint32_t group, const std::vector<Value>& row) override {
        if (!row[input_]) return;
        auto value = Operation::read(*row[input_]);
        auto& state = states_[group];
        state = state ? Operation::combine(*state, value) : value;
    }
    std::size_t bytes() const override { return states_.capacity() * sizeof(states_[0]); }

 private:
    bool result(std::uint32_t group, std::string& out) const override {
        if (states_[group]) Operation::write(*states_[group], out);
        return states_[group].has_value();
    }
    std::vector<std::optional<decltype(Operation::read({}))>> states_;
};

template <class Int>
struct Integers {
    static Int read(std::string_view value) { return merge::read<Int>(value); }
    static void write(Int value, std::string& out) { append(value, out); }
};
struct IntegerSum : Integers<std::int64_t> {
    static std::int64_t combine(std::int64_t a, std::int64_t b) {
        std::int64_t sum = 0;
        if (__builtin_add_overflow(a, b, &sum)) out_of_range("bigint out of range");
        return sum;
    }
};
template <class Int>
struct BitAnd : Integers<Int> {
    static Int combine(Int a, Int b) { return static_cast<Int>(a & b); }
};
template <class Int>
struct BitOr : Integers<Int> {
    static Int combine(Int a, Int b) { return static_cast<Int>(a | b); }
};
template <class Float>
struct FloatSum {
    static Float read(std::string_view value) { return read_float<Float>(value); }
    static Float combine(Float a, Float b) { return add_floats(a, b); }
    static void write(Float value, std::string& out) { append_float_bytes(value, out); }
};

class ExactSum final : public Made {
 public:
    using Made::Made;
    void grow() override { states_.emplace_back(); }
    void add(std::uint32_t group, const std::vector<Value>& row) override {
        if (!row[input_]) return;
        auto& state = states_[group];
        if (!state) state.emplace();
        state->add(NumericView::parse(*row[input_]));
    }
    std::size_t bytes() const override { return states_.capacity() * sizeof(states_[0]); }

 private:
    bool result(std::uint32_t group, std::string& out) const override {
        if (states_[group]) states_[group]->sum(out);
        return states_[group].has_value();
    }
    std::vector<std::optional<NumericSum>> states_;
};

class ExactAverage final : public Made {
 public:
    ExactAverage(const OutputColumn& column, bool binary)
        : Made(column, binary),
          count_(column.input2),
          integers_(column.input_type == type::kInt8) {}
    void grow() override { states_.emplace_back(); }
    void add(std::uint32_t group, const std::vector<Value>& row) override {
        if (!row[input_] || !row[count_]) return;
        State& state = states_[group];
        if (integers_) {
            state.sum.add(read<std::int64_t>(*row[input_]));
        } else {
            state.sum.add(NumericView::parse(*row[input_]));
        }
        state.count += read<std::int64_t>(*row[count_]);
    }
    std::size_t bytes() const override { return states_.capacity() * sizeof(State); }

 private:
    struct State {
        NumericSum sum{};
        std::int64_t count = 0;
    };
    bool result(std::uint32_t group, std::string& out) const override {
        const State& state = states_[group];
        if (state.count > 0) state.sum.average(state.count, out);
        return state.count > 0;
    }
    std::uint16_t count_;
    bool integers_;
    std::vector<State> states_;
};

// Partial sums are rounded where a single server would round others: the last digit may differ.
class FloatAverage final : public Made {
 public:
    FloatAverage(const OutputColumn& column, bool binary)
        : Made(column, binary), count_(column.input2) {}
    void grow() override { states_.emplace_back(); }
    void add(std::uint32_t group, const std::vector<Value>& row) override {
        if (!row[input_] || !row[count_]) return;
        State& state = states_[group];
        state.sum = add_floats(state.sum, read_float<double>(*row[input_]));
        state.count += read<std::int64_t>(*row[count_]);
    }
    std::size_t bytes() const override { return states_.capacity() * sizeof(State); }

 private:
    struct State {
        double sum = 0;
        std::int64_t count = 0;
    };
    bool result(std::uint32_t group, std::string& out) const override {
        const State& state = states_[group];
        if (state.count > 0) append_float_bytes(state.sum / static_cast<double>(state.count), out);
        return state.count > 0;
    }
    std::uint16_t count_;
    std::vector<State> states_;
};

// The column as the first row of the group has it.
class GroupKey final : public Accumulator {
 public:
    explicit GroupKey(const OutputColumn& column) : input_(column.input) {}
    void grow() override {
        values_.emplace_back();
        fresh_ = true;
    }
    void add(std::uint32_t group, const std::vector<Value>& row) override {
        if (fresh_ && row[input_]) values_[group] = arena_.keep(*row[input_]);
        fresh_ = false;
    }
    Value shown(std::uint32_t group, std::string&) const override { return values_[group]; }
    Value compared(std::uint32_t, std::string&) const override {
        throw PgError(Error{.message = "a group key is ordered by its hidden column"});
    }
    std::size_t bytes() const override {
        return arena_.bytes() + values_.capacity() * sizeof(Value);
    }

 private:
    std::uint16_t input_;
    bool fresh_ = false;  // add() of a new group follows its grow() at once
    Arena arena_;
    std::vector<Value> values_;
};

// min and max: the winner is compared in binary format and shown as its shard printed it.
class Extreme final : public Accumulator {
 public:
    explicit Extreme(const OutputColumn& column)
        : compared_(column.input),
          shown_(column.input2),
          largest_(column.combine == Combine::kMax),
          order_(ValueOrder::make(column.input_type, column.locale)) {}

    void grow() override { states_.emplace_back(); }
    void add(std::uint32_t group, const std::vector<Value>& row) override {
        if (!row[compared_] || !row[shown_]) return;
        auto& state = states_[group];
        if (state) {
            int order = order_.compare(*row[compared_], state->compared);
            if (largest_ ? order <= 0 : order >= 0) return;
        } else {
            state.emplace();
        }
        state->compared.assign(*row[compared_]);
        state->shown.assign(*row[shown_]);
    }
    Value shown(std::uint32_t group, std::string&) const override {
        return states_[group] ? Value(states_[group]->shown) : std::nullopt;
    }
    Value compared(std::uint32_t group, std::string&) const override {
        return states_[group] ? Value(states_[group]->compared) : std::nullopt;
    }
    std::size_t bytes() const override { return states_.capacity() * sizeof(states_[0]); }

 private:
    struct State {
        std::string compared{};
        std::string shown{};
    };
    std::uint16_t compared_;
    std::uint16_t shown_;
    bool largest_;
    ValueOrder order_;
    std::vector<std::optional<State>> states_;
};

[[noreturn]] void refuse(const char* aggregate) {
    throw PgError(refusal(std::string(aggregate) + " of this type cannot be combined over shards"));
}

template <template <class> class Operation>
std::unique_ptr<Accumulator> make_bits(const OutputColumn& column, bool binary) {
    switch (column.input_type) {
        case type::kInt2:
            return std::make_unique<Fold<Operation<std::int16_t>>>(column, binary);
        case type::kInt4:
            return std::make_unique<Fold<Operation<std::int32_t>>>(column, binary);
        case type::kInt8:
            return std::make_unique<Fold<Operation<std::int64_t>>>(column, binary);
        default:
            refuse("bit_and or bit_or");
    }
}

std::unique_ptr<Accumulator> make_sum(const OutputColumn& column, bool binary) {
    switch (column.input_type) {
        case type::kInt8:
            return std::make_unique<Fold<IntegerSum>>(column, binary);
        case type::kNumeric:
            return std::make_unique<ExactSum>(column, binary);
        case type::kFloat4:
            return std::make_unique<Fold<FloatSum<float>>>(column, binary);
        case type::kFloat8:
            return std::make_unique<Fold<FloatSum<double>>>(column, binary);
        default:
            refuse("sum");
    }
}

std::unique_ptr<Accumulator> make_average(const OutputColumn& column, bool binary) {
    switch (column.input_type) {
        case type::kInt8:
        case type::kNumeric:
            return std::make_unique<ExactAverage>(column, binary);
        case type::kFloat8:
            return std::make_unique<FloatAverage>(column, binary);
        default:
            refuse("avg");
    }
}

}  // namespace

std::unique_ptr<Accumulator> Accumulator::make(const OutputColumn& column, bool binary) {
    switch (column.combine) {
        case Combine::kGroupKey:
            return std::make_unique<GroupKey>(column);
        case Combine::kCount:
            return std::make_unique<Count>(column, binary);
        case Combine::kSum:
            return make_sum(column, binary);
        case Combine::kMin:
        case Combine::kMax:
            return std::make_unique<Extreme>(column);
        case Combine::kAvg:
            return make_average(column, binary);
        case Combine::kBoolAnd:
            return std::make_unique<Fold<BitAnd<std::int8_t>>>(column, binary);
        case Combine::kBoolOr:
            return std::make_unique<Fold<BitOr<std::int8_t>>>(column, binary);
        case Combine::kBitAnd:
            return make_bits<BitAnd>(column, binary);
        case Combine::kBitOr:
            return make_bits<BitOr>(column, binary);
    }
    refuse("this aggregate");
}

}  // namespace pgmosaic::merge
