// Shared by all kernels: it is put before every file.
//
// It is compiled by NVRTC for the GPU and, in the tests, by g++ with tests/cuda/emulator, which
// defines what is PTX here.

// 16 bits of a float: sign, exponent and 7 bits of the mantissa.
struct bf16 { unsigned short bits; };

__device__ __forceinline__ float sigmoid(float x) { return 0.5f * tanhf(0.5f * x) + 0.5f; }

__device__ __forceinline__ float from_bf16(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }

#ifdef __CUDACC__

// The bits of a bf16: rounded to nearest, ties to even.
__device__ __forceinline__ unsigned short round_bf16(float x) {
    unsigned short bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
}

// Two numbers in one register, as operands of mma_m16n8k16 need them: `low` at the lower index.
__device__ __forceinline__ unsigned pack_bf16(float low, float high) {
    unsigned both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
}

// A float rounded to 10 bits of mantissa (ties away from zero), as operands of mma_m16n8k8 need it.
__device__ __forceinline__ unsigned as_tf32(float x) {
    unsigned y;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
    return y;
}

// d (16, 8) += a (16, 8) b (8, 8) by a warp. Lane l holds, with p = l / 4 and q = l % 4:
// a: (p, q), (p + 8, q), (p, q + 4), (p + 8, q + 4); b: (q, p), (q + 4, p);
// d: (p, 2q), (p, 2q + 1), (p + 8, 2q), (p + 8, 2q + 1).
__device__ __forceinline__ void mma_m16n8k8(float* d, const unsigned* a, unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// d (16, 8) += a (16, 16) b (16, 8) in bf16, two numbers in a register: of a row of a, of a column
// of b. Lane l holds a: (p, 2q..), (p + 8, 2q..), (p, 2q + 8..), (p + 8, 2q + 8..);
// b: (2q.., p), (2q + 8.., p); d as above.
__device__ __forceinline__ void mma_m16n8k16(float* d, const unsigned* a, unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Read a counter that other blocks increment; their earlier writes are visible afterwards.
__device__ __forceinline__ unsigned load_acquire(const unsigned* at) {
    unsigned seen;
    asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(seen) : "l"(at) : "memory");
    return seen;
}

// Read 8 or 16 bytes that another block may be writing; every 4 bytes are either old or new.
__device__ __forceinline__ void load_relaxed(unsigned (&v)[2], const unsigned* at) {
    asm volatile("ld.relaxed.gpu.global.v2.u32 {%0,%1}, [%2];"
        : "=r"(v[0]), "=r"(v[1]) : "l"(at) : "memory");
}
__device__ __forceinline__ void load_relaxed(unsigned (&v)[4], const unsigned* at) {
    asm volatile("ld.relaxed.gpu.global.v4.u32 {%0,%1,%2,%3}, [%4];"
        : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3]) : "l"(at) : "memory");
}
__device__ __forceinline__ void store_relaxed(unsigned* at, unsigned value) {
    asm volatile("st.relaxed.gpu.global.u32 [%0], %1;" :: "l"(at), "r"(value) : "memory");
}

// Called between two polls for a write of another block: a GPU that waits forever could not be
// interrupted, so it gives up.
__device__ __forceinline__ void look_again(int times) {
    if (times > 1 << 24) __trap();
}

#endif

__device__ __forceinline__ bf16 to_bf16(float x) {
    bf16 y;
    y.bits = round_bf16(x);
    return y;
}

// 32 random bits for a pair of numbers: two rounds of a hash finalizer.
__device__ __forceinline__ unsigned mix(unsigned a, unsigned b) {
    unsigned x = a * 0x9E3779B9u ^ b;
    x ^= x >> 16; x *= 0x85EBCA6Bu; x ^= x >> 13; x *= 0xC2B2AE35u; x ^= x >> 16;
    x += a;
    x ^= x >> 16; x *= 0x7FEB352Du; x ^= x >> 15; x *= 0x846CA68Bu; x ^= x >> 16;
    return x;
}

// The dropout factor of number i: 0 with probability `rate` (below 1), else 1 / (1 - rate).
__device__ __forceinline__ float mask(unsigned seed, unsigned i, float rate) {
    return mix(seed, i) >= (unsigned)(rate * 4294967040.0f) ? 1 / (1 - rate) : 0;
}
