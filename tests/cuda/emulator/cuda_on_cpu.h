// Runs CUDA kernels on the CPU: what a kernel may use, over the scheduler of fibers.cpp.
//
// It finds what a GPU would find only by chance: shared memory starts as NaN, an address must be
// aligned to what is read there, an index must lie in its array, all threads of a block must come to
// the same barrier and all lanes of a warp to the same exchange.
#pragma once
#include <math.h>
#include <string.h>
#include "fibers.h"

#define __global__ static
#define __device__  // not static: some are members
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("cuda_shared")))

// NVRTC has no headers that define these.
#undef INFINITY
#undef NAN
#undef M_PI
#undef RAND_MAX
#undef NULL

#define threadIdx cpu::thread_index
#define blockIdx cpu::block_index
#define blockDim cpu::block_size
#define gridDim cpu::grid_size

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline int2 make_int2(int x, int y) { return {x, y}; }
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

template <class To, class From> static inline To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From), "what is exchanged has 4 bytes");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
static inline float __uint_as_float(unsigned bits) { return bits_as<float>(bits); }
static inline unsigned __float_as_uint(float x) { return bits_as<unsigned>(x); }
static inline float __int_as_float(int bits) { return bits_as<float>(bits); }
static inline int __float_as_int(float x) { return bits_as<int>(x); }

template <class T> static inline T min(T a, T b) { return b < a ? b : a; }
template <class T> static inline T max(T a, T b) { return a < b ? b : a; }
static inline float __fdividef(float x, float y) { return x / y; }
// Macros, for some C libraries have functions of these names.
#define __expf expf
#define __logf logf
#define rsqrtf(x) (1 / sqrtf(x))
#define cospif(x) cosf(3.14159265358979323846f * (x))

template <class T> static inline T __ldg(const T* at) { return *at; }
template <class T> static inline T __ldcg(const T* at) { return *at; }
template <class T> static inline void __stcg(T* at, T value) { *at = value; }
static inline void __threadfence() {}
static inline unsigned atomicAdd(unsigned* at, unsigned value) { unsigned old = *at; *at += value; return old; }

// A counter that other blocks raise.
static inline unsigned load_acquire(const unsigned* at) {
    cpu::spin(at);
    return *at;
}

// What another block may be writing: whoever looks again lets the others run first.
static inline void load_relaxed(unsigned (&v)[2], const unsigned* at) {
    const uint2 x = *(const uint2*)at;
    memcpy(v, &x, sizeof v);
}
static inline void load_relaxed(unsigned (&v)[4], const unsigned* at) {
    const uint4 x = *(const uint4*)at;
    memcpy(v, &x, sizeof v);
}
static inline void store_relaxed(unsigned* at, unsigned value) { *at = value; }
static inline void look_again(int) { cpu::spin(); }

static inline void __syncthreads(int line = __builtin_LINE()) { cpu::barrier(line); }

static inline void __syncwarp(unsigned lanes = ~0u, int line = __builtin_LINE()) {
    cpu::exchange(cpu::SYNC, lanes, line, nullptr, 0);
}
template <class T> static inline T cpu_shuffle(unsigned lanes, T mine, unsigned from, int line) {
    unsigned held = bits_as<unsigned>(mine);
    const cpu::Held* all = cpu::exchange(cpu::SHUFFLE, lanes, line, &held, 1);
    return from < 32 ? bits_as<T>(all[from][0]) : mine;
}
template <class T>
static inline T __shfl_sync(unsigned lanes, T mine, int from, int width = 32, int line = __builtin_LINE()) {
    unsigned lane = cpu::lane;
    return cpu_shuffle(lanes, mine, lane / width * width + from % width, line);
}
template <class T>
static inline T __shfl_xor_sync(unsigned lanes, T mine, int with, int width = 32, int line = __builtin_LINE()) {
    unsigned lane = cpu::lane, from = lane ^ with;
    return cpu_shuffle(lanes, mine, from / width <= lane / width ? from : lane, line);
}
template <class T>
static inline T __shfl_down_sync(unsigned lanes, T mine, unsigned by, int width = 32, int line = __builtin_LINE()) {
    unsigned lane = cpu::lane;
    return cpu_shuffle(lanes, mine, lane % width + by < (unsigned)width ? lane + by : lane, line);
}

// What follows is PTX on a GPU: see common.cuh for the elements that each lane holds.

static inline unsigned as_tf32(float x) {  // ties away from zero, as cvt.rna
    return (__float_as_uint(x) + (fabsf(x) < __builtin_inff() ? 0x1000u : 0)) & ~0x1fffu;
}
static inline unsigned short round_bf16(float x) {
    unsigned bits = __float_as_uint(x);
    return x != x ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
static inline unsigned pack_bf16(float low, float high) {
    return round_bf16(low) | (unsigned)round_bf16(high) << 16;
}

static inline void mma_m16n8k8(float* d, const unsigned* a, unsigned b0, unsigned b1, int line = __builtin_LINE()) {
    const unsigned mine[6] = {a[0], a[1], a[2], a[3], b0, b1}, lane = cpu::lane;
    const cpu::Held* held = cpu::exchange(cpu::MMA_TF32, ~0u, line, mine, 6);
    for (unsigned e = 0; e < 4; ++e) {
        const unsigned row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
        for (unsigned k = 0; k < 8; ++k) {
            const unsigned of_a = held[row % 8 * 4 + k % 4][row / 8 + k / 4 * 2];
            const unsigned of_b = held[column * 4 + k % 4][4 + k / 4];
            // The hardware does not read what tf32 has no room for.
            d[e] += __uint_as_float(of_a & ~0x1fffu) * __uint_as_float(of_b & ~0x1fffu);
        }
    }
}

static inline void mma_m16n8k16(float* d, const unsigned* a, unsigned b0, unsigned b1, int line = __builtin_LINE()) {
    const unsigned mine[6] = {a[0], a[1], a[2], a[3], b0, b1}, lane = cpu::lane;
    const cpu::Held* held = cpu::exchange(cpu::MMA_BF16, ~0u, line, mine, 6);
    for (unsigned e = 0; e < 4; ++e) {
        const unsigned row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
        for (unsigned k = 0; k < 16; ++k) {
            const unsigned shift = k % 2 ? 0 : 16, pair = k % 8 / 2;  // the lower half moves up
            const unsigned of_a = held[row % 8 * 4 + pair][row / 8 + k / 8 * 2];
            const unsigned of_b = held[column * 4 + pair][4 + k / 8];
            d[e] += __uint_as_float(of_a << shift & 0xffff0000u) * __uint_as_float(of_b << shift & 0xffff0000u);
        }
    }
}
