// Runs the threads of a kernel on one thread of the CPU: see fibers.cpp.
#pragma once
#include <stddef.h>

namespace cpu {

struct Index { unsigned x, y, z; };
enum Exchange : int { SYNC, SHUFFLE, MMA_TF32, MMA_BF16 };
typedef unsigned Held[6];  // what a lane holds out in an exchange

struct Launch {
    Index grid, block;
    unsigned long long shared;
    char* stacks;  // STACK zeros for each thread that runs at once; what is left in them is of no use
    unsigned char waits, cooperative, descending;
};

// Of the thread that runs.
extern Index thread_index, block_index, block_size, grid_size;
extern unsigned lane;

// Run all threads of a kernel; return null, or what went wrong.
const char* launch(const Launch&, void (*kernel)(const unsigned long long*), const unsigned long long* args);

// Wait until all threads of the block have come here.
void barrier(int line);

// Hold out `words` numbers and return those of all lanes, which stay until this lane's next exchange.
const Held* exchange(Exchange, unsigned lanes, int line, const unsigned* mine, unsigned words);

// Let the others run; where a counter is given, only if it was looked at before.
void spin(const unsigned* counter = nullptr);

void* dynamic_shared();

template <class T> static inline T argument(unsigned long long slot) {
    T value;
    __builtin_memcpy(&value, &slot, sizeof value);
    return value;
}

}  // namespace cpu

// The function that launches a kernel with the given C++ expressions, made of slots a[i], as arguments.
#define CPU_LAUNCHER(kernel, ...)                                                                          \
    extern "C" __attribute__((visibility("default"))) const char* launch_##kernel(                        \
        const cpu::Launch* how, const unsigned long long* args) {                                         \
        return cpu::launch(*how, [](const unsigned long long* a) { kernel(__VA_ARGS__); }, args);         \
    }
