// Every CUDA thread is a fiber of one thread of the CPU: it runs until it waits, then another does.
//
// Within a block each warp, and within a warp each lane, runs ahead as far as it can, so that a
// missing barrier shows; `descending` lets the last ones run ahead, for what only shows that way.
// Blocks run one after the other, or side by side where the launch is cooperative.
#include "fibers.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#ifndef __x86_64__
#define CPU_UCONTEXT  // slower, and everywhere
#endif
#include <ucontext.h>

// Static shared memory lies in a section of its own; the first line makes sure that there is one.
__attribute__((section("cuda_shared"), used)) static char cuda_shared_begins[16];
extern char __start_cuda_shared[];
extern char __stop_cuda_shared[];

namespace cpu {

enum State : char { READY, AT_BARRIER, IN_EXCHANGE, SPINNING, DONE };

const size_t STACK = (1 << 15) + 320;  // no power of two, so that stacks share no lines of the cache
const size_t GUARD = 256;
const unsigned char POISON = 0xff;  // NaN, and no index
const int IDLE_ROUNDS = 100;        // in which all threads that are left only spin
const int CPU_SECONDS = 20;         // that a launch may take

struct Warp {
    unsigned came, lanes;
    int line;
    Exchange kind;
    Held in[32], out[32];
};
struct Block {
    Index index;
    unsigned came;
    int line;
    char *shared, *dynamic;
};
struct Fiber {
    State state;
    Index thread;
    Warp* warp;
    Block* block;
    char* stack;
    const unsigned* seen;  // the counter that it looked at since it last waited for others
#ifdef CPU_UCONTEXT
    ucontext_t context;
#else
    void* context;
#endif
};

Index thread_index, block_index, block_size, grid_size;
unsigned lane;
static void (*body)(const unsigned long long*);
static const unsigned long long* arguments;
static Fiber* fibers;
static Warp* warps;
static Block* blocks;
static unsigned threads, warps_per_block, resident, fiber;  // fiber: the one that runs
static bool descending, fibered;
static size_t dynamic_size;
static char message[512];
static sigjmp_buf escape;

static inline Block& block() { return *fibers[fiber].block; }
static inline Warp& warp() { return *fibers[fiber].warp; }

// Give the launch up: the first line that says why is what the caller reads.
[[noreturn]] static void fail(const char* format, ...) {
    va_list rest;
    va_start(rest, format);
    int size = vsnprintf(message, sizeof message, format, rest);
    va_end(rest);
    snprintf(message + size, sizeof message - size, " (block %u %u %u, thread %u %u %u)", block_index.x,
             block_index.y, block_index.z, thread_index.x, thread_index.y, thread_index.z);
    siglongjmp(escape, 1);
}

// Contexts: `resume` runs a fiber until it calls `leave`.

static void leave();
static void enter() {
    body(arguments);
    fibers[fiber].state = DONE;
    leave();
}

#ifdef CPU_UCONTEXT
static ucontext_t home;
static void prepare(Fiber& f) {
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack;
    f.context.uc_stack.ss_size = STACK;
    makecontext(&f.context, enter, 0);
}
static void resume() { swapcontext(&home, &fibers[fiber].context); }
static void leave() { swapcontext(&fibers[fiber].context, &home); }
#else
// Saves what a call must preserve on the stack, and goes on where another stack was left.
extern "C" void cpu_switch(void** from, void* to);
asm(R"(
    .text
    .type cpu_switch, @function
cpu_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size cpu_switch, .-cpu_switch
)");
static void* home;
static void prepare(Fiber& f) {
    void** top = (void**)(f.stack + STACK);
    *--top = nullptr;  // where a call would have left its return address: the stack is aligned so
    *--top = (void*)enter;
    f.context = top - 6;
}
static void resume() { cpu_switch(&home, fibers[fiber].context); }
static void leave() { cpu_switch(&fibers[fiber].context, home); }
#endif

// What a thread may wait for.

static void wait(State state) {
    fibers[fiber].state = state;
    leave();
}

void spin(const unsigned* counter) {
    if (!fibered) fail("a thread waits, and the kernel is taken for one that does not");
    if (!counter || fibers[fiber].seen == counter) wait(SPINNING);
    fibers[fiber].seen = counter;
}

static void wake(State state, unsigned first, unsigned count) {
    for (unsigned f = first; f < first + count; ++f)
        if (fibers[f].state == state) fibers[f].state = READY;
}

void barrier(int line) {
    if (!fibered) fail("a thread waits, and the kernel is taken for one that does not");
    fibers[fiber].seen = nullptr;
    Block& b = block();
    if (b.came && b.line != line) fail("threads of a block meet at the barriers of lines %d and %d", b.line, line);
    b.line = line;
    if (++b.came < threads) return wait(AT_BARRIER);
    b.came = 0;
    wake(AT_BARRIER, fiber / threads * threads, threads);
}

const Held* exchange(Exchange kind, unsigned lanes, int line, const unsigned* mine, unsigned words) {
    if (!fibered) fail("a thread waits, and the kernel is taken for one that does not");
    if (lanes != ~0u) fail("line %d: only exchanges of a whole warp are emulated, not of lanes %#x", line, lanes);
    Warp& w = warp();
    if (w.came && (w.line != line || w.kind != kind))
        fail("lanes of a warp meet in the exchanges of lines %d and %d", w.line, line);
    w.line = line;
    w.kind = kind;
    memcpy(w.in[lane], mine, words * sizeof *mine);
    if (++w.came < w.lanes) {
        wait(IN_EXCHANGE);
    } else {
        w.came = 0;
        memcpy(w.out, w.in, sizeof w.out);
        wake(IN_EXCHANGE, fiber - lane, w.lanes);
    }
    return w.out;
}

// The scheduler.

static Index index_of(size_t i, Index size) {
    return {unsigned(i % size.x), unsigned(i / size.x % size.y), unsigned(i / size.x / size.y)};
}

static unsigned nth(unsigned i, unsigned count) { return descending ? count - 1 - i : i; }

// Run the threads of a warp that can; return whether one got any further than before.
static bool run_warp(unsigned b, unsigned w, State state) {
    bool moved = false;
    for (unsigned i = 0, count = warps[b * warps_per_block + w].lanes; i < count; ++i) {
        fiber = b * threads + w * 32 + nth(i, count);
        if (fibers[fiber].state != state) continue;
        thread_index = fibers[fiber].thread;
        lane = nth(i, count);
        resume();
        moved |= fibers[fiber].state != SPINNING;
    }
    return moved;
}

static void swap_in(Block& b) {
    block_index = b.index;
    memcpy(__start_cuda_shared, b.shared, __stop_cuda_shared - __start_cuda_shared);
}

static void swap_out(Block& b) { memcpy(b.shared, __start_cuda_shared, __stop_cuda_shared - __start_cuda_shared); }

static bool run_block(unsigned b) {
    bool moved = false, again = true;
    swap_in(blocks[b]);
    for (unsigned w = 0; w < warps_per_block; ++w) moved |= run_warp(b, nth(w, warps_per_block), SPINNING);
    while (again) {
        again = false;
        for (unsigned w = 0; w < warps_per_block; ++w)
            while (run_warp(b, nth(w, warps_per_block), READY)) again = true;
        moved |= again;
    }
    swap_out(blocks[b]);
    return moved;
}

static void check_blocks() {
    for (unsigned b = 0; b < resident; ++b)
        for (size_t i = 0; i < GUARD; ++i)
            if ((unsigned char)blocks[b].dynamic[dynamic_size + i] != POISON) {
                block_index = blocks[b].index;
                fail("a block wrote beyond its %zu bytes of dynamic shared memory", dynamic_size);
            }
    for (unsigned f = 0; f < resident * threads; ++f)
        if (*(size_t*)fibers[f].stack) fail("a thread used more than %zu bytes of stack", STACK);
}

[[noreturn]] static void report_deadlock() {
    unsigned counts[DONE + 1] = {};
    for (unsigned f = resident * threads; f--;)
        if (++counts[fibers[f].state], fibers[f].state != DONE) fiber = f;
    block_index = block().index;
    thread_index = fibers[fiber].thread;
    fail("deadlock: of %u threads %u wait at a barrier (line %d), %u in an exchange (line %d), %u for a counter, "
         "%u have returned; the first that waits is",
         resident * threads, counts[AT_BARRIER], block().line, counts[IN_EXCHANGE], warp().line, counts[SPINNING],
         counts[DONE]);
}

// Run blocks `first`, ... to their end, side by side.
static void run_side_by_side(size_t first) {
    for (unsigned b = 0; b < resident; ++b) {
        blocks[b].index = index_of(first + b, grid_size);
        blocks[b].came = 0;
        memset(blocks[b].shared, POISON, __stop_cuda_shared - __start_cuda_shared);
        memset(blocks[b].dynamic, POISON, dynamic_size + GUARD);
    }
    for (unsigned w = 0; w < resident * warps_per_block; ++w) {
        unsigned before = w % warps_per_block * 32;
        warps[w].came = 0;
        warps[w].lanes = threads - before < 32 ? threads - before : 32;
    }
    for (unsigned f = 0; f < resident * threads; ++f) {
        fibers[f].state = READY;
        fibers[f].seen = nullptr;
        prepare(fibers[f]);
    }
    for (int idle = 0;;) {
        bool moved = false, left = false, spins = false;
        for (unsigned b = 0; b < resident; ++b) moved |= run_block(nth(b, resident));
        for (unsigned f = 0; f < resident * threads; ++f) {
            left |= fibers[f].state != DONE;
            spins |= fibers[f].state == SPINNING;
        }
        if (!left) break;
        idle = moved ? 0 : idle + 1;
        if (!moved && (!spins || idle > IDLE_ROUNDS)) report_deadlock();
    }
    check_blocks();
}

// Of a kernel that never waits: one thread after the other.
static void run_in_turn(size_t count) {
    for (size_t b = 0; b < count; ++b) {
        block_index = index_of(descending ? count - 1 - b : b, grid_size);
        for (unsigned t = 0; t < threads; ++t) {
            thread_index = index_of(nth(t, threads), block_size);
            body(arguments);
        }
    }
}

// Memory of a launch, and faults in it.

static void make_room(char* stacks) {
    size_t shared = __stop_cuda_shared - __start_cuda_shared, dynamic = (dynamic_size + GUARD + 127) / 128 * 128;
    fibers = (Fiber*)calloc(resident * threads, sizeof(Fiber));
    warps = (Warp*)calloc(resident * warps_per_block, sizeof(Warp));
    blocks = (Block*)calloc(resident, sizeof(Block));
    char* room = (char*)malloc(resident * shared);
    char* more = (char*)aligned_alloc(128, resident * dynamic);
    for (unsigned b = 0; b < resident; ++b) {
        blocks[b].shared = room + b * shared;
        blocks[b].dynamic = more + b * dynamic;
    }
    for (unsigned f = 0; f < resident * threads; ++f) {
        unsigned thread = f % threads, b = f / threads;
        fibers[f].thread = index_of(thread, block_size);
        fibers[f].warp = &warps[b * warps_per_block + thread / 32];
        fibers[f].block = &blocks[b];
        fibers[f].stack = stacks + f * STACK;
    }
}

static void free_room() {
    if (!fibers) return;
    free(blocks[0].shared);
    free(blocks[0].dynamic);
    free(fibers);
    free(warps);
    free(blocks);
    fibers = nullptr;
}

static void on_signal(int number) {
    fail(number == SIGVTALRM ? "it did not end in %d seconds" : "%2$s", CPU_SECONDS, strsignal(number));
}

struct Faults {  // handled while it exists
    static const int COUNT = 4;
    const int numbers[COUNT] = {SIGSEGV, SIGBUS, SIGFPE, SIGVTALRM};
    struct sigaction before[COUNT];
    Faults() {
        struct sigaction ours = {};
        ours.sa_handler = on_signal;
        for (int i = 0; i < COUNT; ++i) sigaction(numbers[i], &ours, &before[i]);
        limit(CPU_SECONDS);
    }
    ~Faults() {
        limit(0);
        for (int i = 0; i < COUNT; ++i) sigaction(numbers[i], &before[i], nullptr);
    }
    static void limit(int seconds) {
        struct itimerval timer = {};
        timer.it_value.tv_sec = seconds;
        setitimer(ITIMER_VIRTUAL, &timer, nullptr);
    }
};

const char* launch(const Launch& how, void (*kernel)(const unsigned long long*), const unsigned long long* args) {
    grid_size = how.grid;
    block_size = how.block;
    threads = how.block.x * how.block.y * how.block.z;
    warps_per_block = (threads + 31) / 32;
    body = kernel;
    arguments = args;
    dynamic_size = how.shared;
    fibered = how.waits;
    descending = how.descending;
    message[0] = 0;
    size_t count = (size_t)how.grid.x * how.grid.y * how.grid.z;
    resident = how.cooperative ? count : 1;
    Faults faults;
    if (sigsetjmp(escape, 1) == 0) {
        if (fibered) {
            make_room(how.stacks);
            for (size_t b = 0; b < count; b += resident) run_side_by_side(descending ? count - resident - b : b);
        } else {
            run_in_turn(count);
        }
    }
    free_room();
    return message[0] ? message : nullptr;
}

void* dynamic_shared() {
    if (!fibered) fail("shared memory is used by a kernel in which no thread waits");
    return block().dynamic;
}

}  // namespace cpu

// Called by code that g++ adds with -fsanitize=alignment,bounds,null.

struct SourceLocation { const char* file; unsigned line, column; };

extern "C" void __ubsan_handle_out_of_bounds(SourceLocation* at, void* index) {
    cpu::fail("%s line %u: index %ld is outside of its array", at->file, at->line, (long)index);
}

extern "C" void __ubsan_handle_type_mismatch_v1(SourceLocation* at, void* address) {
    cpu::fail("%s line %u: %s", at->file, at->line, address ? "an address is not aligned" : "a null pointer is used");
}
