// C++ exceptions in every shape a compiler lowers differently, 100 000 of them in one loop; prints one checksum per shape.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

static uint32_t trace = 1;  // every destructor and handler folds itself in, so order matters

static void mark(uint32_t n) { trace = trace * 31 + n; }

struct Guard {
    uint32_t id;
    explicit Guard(uint32_t n) : id(n) {}
    ~Guard() { mark(id); }
};

struct Failure : std::runtime_error {
    int depth;
    Failure(const std::string &text, int n) : std::runtime_error(text), depth(n) {}
};

struct DeepFailure : Failure {
    using Failure::Failure;
    const char *what() const noexcept override { return "deep"; }
};

// A constructor that throws: the members built before it are destroyed, the destructor does not run.
struct Half {
    Guard first{100};
    std::unique_ptr<Guard> second = std::make_unique<Guard>(101);
    explicit Half(bool fail) { if (fail) throw Failure("half", -1); }
    ~Half() { mark(102); }
};

[[gnu::noinline]] static int descend(int depth, int limit) {
    Guard guard(depth);
    if (depth == limit) throw DeepFailure("limit", depth);
    return descend(depth + 1, limit) + 1;
}

[[gnu::noinline]] static int pick(int n) {
    switch (n % 6) {
    case 0: throw n;
    case 1: throw Failure("pick", n);
    case 2: throw DeepFailure("pick", n);
    case 3: throw std::string("text");
    case 4: throw 2.5;
    default: return n;
    }
}

static uint32_t sort_out(int n) {
    try {
        return pick(n);
    }
    catch (const DeepFailure &e) { return e.depth + 1000; }
    catch (const std::exception &e) { return std::string(e.what()).size() + 2000; }
    catch (int i) { return i + 3000; }
    catch (const std::string &s) { return s.size() + 4000; }
    catch (...) { return 5000; }
}

static void rethrow(int levels) {
    Guard guard(levels);
    try {
        if (levels == 0) throw Failure("rethrow", 7);
        rethrow(levels - 1);
    } catch (const std::exception &) {
        mark(levels + 500);
        throw;
    }
}

int main() {
    try { descend(0, 1000); } catch (Failure &e) { std::printf("descend %d %s %u\n", e.depth, e.what(), trace); }

    uint32_t sum = 0;
    for (int i = 0; i < 120000; i++) sum = sum * 31 + sort_out(i);
    std::printf("loop %u\n", sum);

    try { rethrow(50); } catch (const Failure &e) { std::printf("rethrow %s %d %u\n", e.what(), e.depth, trace); }
    for (bool fail : {false, true}) {
        try { Half half(fail); } catch (const Failure &e) { mark(e.depth); }
    }
    std::printf("constructors %u\n", trace);

    std::vector<int> values(10, 3);
    int outside = 0;
    for (size_t i = 0; i < 20; i++) {
        try { outside += values.at(i); } catch (const std::out_of_range &) { outside += 100; }
    }
    std::printf("vector %d\n", outside);

    std::vector<std::exception_ptr> saved;
    for (int i = 0; i < 30; i++) {
        try { pick(i); } catch (...) { saved.push_back(std::current_exception()); }
    }
    for (auto &p : saved) {
        try { std::rethrow_exception(p); }
        catch (const Failure &e) { mark(e.depth); }
        catch (int i) { mark(i * 2); }
        catch (...) { mark(9); }
    }
    std::printf("saved %zu %u\n", saved.size(), trace);

    // An exception thrown and caught while another one unwinds the stack.
    struct Busy {
        ~Busy() { try { throw 5; } catch (int i) { mark(i + std::uncaught_exceptions()); } }
    };
    try { Busy busy; throw Failure("first", 8); } catch (const Failure &e) { mark(e.depth); }
    std::printf("during unwinding %u\n", trace);
}
