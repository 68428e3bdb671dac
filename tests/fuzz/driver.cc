// Stands in for libFuzzer where the compiler has none: replays a corpus, then mutates it at random for a while. It has no
// eyes for coverage; the preset `fuzz` has. PROGRAM DIRECTORY [-max_total_time=SECONDS] [-seed=N]; other options are ignored.

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kLengthMax = 4096;

std::string current;
const char* artifact = "crash-input";

/// Leaves the input that ended us in a file; signal-safe.
void keep_input(int number) {
    const int file = open(artifact, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file >= 0 && write(file, current.data(), current.size()) < 0) _exit(1);
    signal(number, SIG_DFL);
    raise(number);
}

void try_input(const std::string& input) {
    current = input;
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::vector<std::string> read_corpus(const std::string& directory) {
    std::vector<std::string> corpus;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        std::ifstream in(entry.path(), std::ios::binary);
        corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    if (corpus.empty()) corpus.emplace_back("0");
    return corpus;
}

class Mutator {
   public:
    Mutator(std::vector<std::string> corpus, std::uint64_t seed) : corpus_(std::move(corpus)), random_(seed) {}

    std::string next() {
        std::string input = corpus_[below(corpus_.size())];
        for (std::size_t i = below(6); i != 0; --i) change(input);
        if (input.size() > kLengthMax) input.resize(kLengthMax);
        return input;
    }

   private:
    std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

    void change(std::string& input) {
        static constexpr char kSpecial[] = {0, 1, '\x7f', '\xff', '\\', '\'', '"', '(', ')', '$', '-', ';', ' ', '0'};
        const std::size_t at = below(input.size() + 1);
        switch (random_() % 6) {
            case 0: input.insert(at, 1, kSpecial[below(sizeof kSpecial)]); break;
            case 1: input.insert(at, 1, static_cast<char>(random_())); break;
            case 2: input.erase(at, 1 + below(8)); break;
            case 3:
                if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << (random_() % 8)));
                break;
            case 4: {
                const std::string& other = corpus_[below(corpus_.size())];
                const std::size_t from = below(other.size());
                input.insert(at, other.substr(from, 1 + below(other.size())));
                break;
            }
            default: input.insert(at, input.substr(below(input.size() + 1), below(32))); break;
        }
    }

    std::vector<std::string> corpus_;
    std::mt19937_64 random_;
};

}  // namespace

int main(int count, char** arguments) {
    std::string directory;
    std::string prefix;
    double seconds = 5;
    std::uint64_t seed = std::random_device{}();
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        if (argument.rfind("-max_total_time=", 0) == 0) seconds = std::stod(argument.substr(16));
        if (argument.rfind("-seed=", 0) == 0) seed = std::stoull(argument.substr(6));
        if (argument.rfind("-artifact_prefix=", 0) == 0) prefix = argument.substr(17);
        if (argument[0] != '-') directory = argument;
    }
    prefix += "crash-input";
    artifact = prefix.c_str();
    for (const int number : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) signal(number, keep_input);
    std::vector<std::string> corpus = read_corpus(directory);
    for (const std::string& input : corpus) try_input(input);
    std::cout << corpus.size() << " inputs replayed, seed " << seed << std::endl;
    Mutator mutator(std::move(corpus), seed);
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    std::uint64_t tried = 0;
    for (; std::chrono::steady_clock::now() < end; ++tried) {
        try_input(mutator.next());
    }
    std::cout << tried << " mutations tried" << std::endl;
    return 0;
}
