// Shared by persistent_forward.cu and persistent_backward.cu: all steps of a recurrent layer in one
// launch.
//
// A block owns UNITS hidden units of `subs` x STREAMS streams and stays for the whole window. The
// weights that it needs are in the registers of its 8 warps, each with an eighth of the columns, as
// operands of tensor-core products. In a step each warp multiplies its columns of the state of
// STREAMS streams, the block adds the eight partial sums in shared memory, and each thread computes
// a unit of a stream; then come the next STREAMS streams, and after the last the next step.
//
// Blocks do not wait for each other, only for the numbers that they need. Before the launch the
// exchanged array (forward h, backward dz_h) is filled with NOTHING, a NaN that no step writes, and
// a reader that finds it polls again. So a step costs one round trip to the L2 cache, without a
// fence, a counter or a GPU-wide barrier. All blocks must be resident at once.
//
// Each number has one writer and each sum a fixed order, so two runs give equal bits, however units
// and streams are divided among blocks.
//
// Compiled for
//     H hidden units; CELL 0: tanh, 1: relu, 2: GRU, 3: LSTM; BF16: operands are 0 tf32, 1 bf16;
//     UNITS 16 or 32 and STREAMS 8 or 16: see above; BLOCKS concurrent blocks per multiprocessor;
//     KEPT: number of products whose weights a warp keeps in registers (the rest is in shared
//     memory); SUMS: buffers for partial sums, 1 or 2 (2 saves a barrier of the block);
//     AHEAD: 1 if a block has several batches of streams and prefetches the next one early (0: it
//     loads the next one after it has written its own part, when the others' parts arrive).

#define WARPS 8
#define THREADS 256
#define G (CELL == 3 ? 4 : CELL == 2 ? 3 : 1)  // gates
#define TILES (UNITS / 16)
#define HALVES (STREAMS / 8)
#define PER_WORD (BF16 ? 2 : 1)                // numbers in a register of an operand
#define STEP (8 * PER_WORD)                    // columns of one product of the tensor core
#define NOTHING 0xffffffffu

// Weights as a lane of the tensor core holds them: 2 rows, 8 apart, by 2 words of columns. w is at
// the first; neighbours in a column are `row` apart, neighbours in a row `column`.
__device__ __forceinline__ unsigned operand(const float* w, long long column) {
    return BF16 ? pack_bf16(w[0], w[column]) : as_tf32(w[0]);
}
__device__ __forceinline__ uint4 fragment(const float* w, long long row, long long column) {
    const float* next = w + PER_WORD * column;
    return make_uint4(operand(w, column), operand(w + 8 * row, column), operand(next, column),
                      operand(next + 8 * row, column));
}

// d (ROWS x 16, STREAMS) = weights (ROWS x 16, K) times state (K, STREAMS): a warp's K columns.
//
// So that a lane reads neighbours in memory, 8 or 16 bytes at once, weights and state have the
// columns in another order than the tensor core: of each 4 W words, lane q of four holds words q W
// to q W + W - 1. ROUND: the state is not rounded to tf32 yet.
template <int ROWS, int K, bool ROUND>
struct Product {
    static constexpr int STEPS = K / STEP, W = STEPS % 2 ? 2 : 4, LOADS = 2 * STEPS / W;
    // Registers for loads in flight, of those left by weights, sums and everything else.
    static constexpr int FREE = 65536 / THREADS / BLOCKS - 4 * (KEPT + HALVES) * ROWS - 72;
    static constexpr int MOST = FREE / (HALVES * W) < 2 ? 2 : FREE / (HALVES * W);
    static constexpr int AT_ONCE = MOST < LOADS ? MOST : LOADS;
    static constexpr int SHARED = (STEPS - KEPT) * ROWS * THREADS;  // uint4 of weights

    uint4 kept[KEPT][ROWS];
    uint4* rest;  // of this thread, in shared memory

    // w: this lane's first row and this warp's first column; tile r of 16 rows begins at tile(r).
    template <class Tile>
    __device__ __forceinline__ void load(const float* w, long long row, long long column,
                                         Tile tile) {
        #pragma unroll
        for (int s = 0; s < STEPS; ++s)
            #pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                const int word = s * 2 / W * 4 * W + threadIdx.x % 4 * W + s * 2 % W;
                const uint4 a = fragment(w + tile(r) + word * PER_WORD * column, row, column);
                if (s < KEPT) kept[s][r] = a;
                else rest[((s - KEPT) * ROWS + r) * THREADS] = a;
            }
    }

    // The loads of a lane that are in flight: AT_ONCE of its LOADS.
    typedef unsigned State[AT_ONCE][HALVES][W];

    // state: this lane's first words of its stream; the stream 8 further is at offset `half`.
    static __device__ __forceinline__ void ask(unsigned (&v)[HALVES][W], const unsigned* state,
                                               int half, int load) {
        #pragma unroll
        for (int i = 0; i < HALVES; ++i) load_relaxed(v[i], state + i * half + load * 4 * W);
    }
    static __device__ __forceinline__ void ask(State& v, const unsigned* state, int half) {
        #pragma unroll
        for (int e = 0; e < AT_ONCE; ++e) ask(v[e], state, half, e);
    }

    static __device__ __forceinline__ bool missing(const unsigned (&v)[HALVES][W]) {
        unsigned most = 0;
        #pragma unroll
        for (int i = 0; i < HALVES; ++i)
            #pragma unroll
            for (int w = 0; w < W; ++w) most = max(most, v[i][w]);
        return most == NOTHING;
    }
    static __device__ __forceinline__ bool missing(const State& v) {
        bool any = false;
        #pragma unroll
        for (int e = 0; e < AT_ONCE; ++e) any |= missing(v[e]);
        return any;
    }

    // v: the first loads. The others are issued one by one as these are used.
    __device__ __forceinline__ void compute(float (&d)[ROWS][HALVES][4], State& v,
                                            const unsigned* state, int half) const {
        for (int times = 0; missing(v); ++times) {
            look_again(times);
            ask(v, state, half);
        }
        #pragma unroll
        for (int e = 0; e < LOADS; ++e) {
            if (e >= AT_ONCE)
                for (int times = 0; missing(v[e % AT_ONCE]); ++times) {
                    look_again(times);
                    ask(v[e % AT_ONCE], state, half, e);
                }
            __syncwarp();
            #pragma unroll
            for (int s = e * W / 2; s < (e + 1) * W / 2; ++s)
                #pragma unroll
                for (int r = 0; r < ROWS; ++r) multiply(d[r], weights(s, r), v[e % AT_ONCE], s);
            if (e + AT_ONCE < LOADS) ask(v[e % AT_ONCE], state, half, e + AT_ONCE);
        }
    }

    __device__ __forceinline__ uint4 weights(int s, int r) const {
        return s < KEPT ? kept[s][r] : rest[((s - KEPT) * ROWS + r) * THREADS];
    }

    static __device__ __forceinline__ void multiply(float (&d)[HALVES][4], uint4 weights,
                                                    const unsigned (&v)[HALVES][W], int s) {
        const unsigned a[4] = {weights.x, weights.y, weights.z, weights.w};
        #pragma unroll
        for (int i = 0; i < HALVES; ++i) {
            unsigned b0 = v[i][s * 2 % W], b1 = v[i][s * 2 % W + 1];
            if (ROUND) b0 = as_tf32(__uint_as_float(b0)), b1 = as_tf32(__uint_as_float(b1));
            if (BF16) mma_m16n8k16(d[i], a, b0, b1);
            else mma_m16n8k8(d[i], a, b0, b1);
        }
    }
};

// Partial sums (WARPS, ROWS, HALVES, 128). In the last, stream m of 8 has row m ^ (m / 2 % 2) and
// unit u place (2 (u % 8) + u / 8) ^ (8 (m / 4)): so neither writing, 8 bytes a lane as the tensor
// core leaves them, nor reading by units meets a bank of the shared memory twice.
template <int ROWS>
__device__ __forceinline__ void put_sums(float* sums, const float (&d)[ROWS][HALVES][4]) {
    const int warp = threadIdx.x / 32, q = threadIdx.x % 4, p = threadIdx.x % 32 / 4;
    const int at = (2 * q ^ q % 2) * 16 + (2 * p ^ q / 2 * 8);
    #pragma unroll
    for (int r = 0; r < ROWS; ++r)
        #pragma unroll
        for (int i = 0; i < HALVES; ++i) {
            float* to = sums + ((warp * ROWS + r) * HALVES + i) * 128;
            *(float2*)(to + at) = make_float2(d[r][i][0], d[r][i][2]);
            *(float2*)(to + (at ^ 16)) = make_float2(d[r][i][1], d[r][i][3]);
        }
}

// The whole sum for this thread: unit threadIdx.x % 16 of stream threadIdx.x / 16.
template <int ROWS>
__device__ __forceinline__ float take_sum(const float* sums, int r) {
    const int u = threadIdx.x % 16, n = threadIdx.x / 16, m = n % 8;
    const int at = n / 8 * 128 + (m ^ m / 2 % 2) * 16 + ((2 * (u % 8) + u / 8) ^ m / 4 * 8);
    float sum = 0;
    #pragma unroll
    for (int w = 0; w < WARPS; ++w) sum += sums[(w * ROWS + r) * HALVES * 128 + at];
    return sum;
}

// Publishes a number to the waiting blocks: as it is, or the numbers of two lanes as bf16.
__device__ __forceinline__ void give(float* values, bf16* shadow, long long at, float x) {
    if (BF16) {
        const unsigned both = pack_bf16(x, __shfl_down_sync(0xffffffffu, x, 1));
        if (threadIdx.x % 2 == 0) store_relaxed((unsigned*)(shadow + at), both);
    } else {
        store_relaxed((unsigned*)(values + at), min(__float_as_uint(x), NOTHING - 1));
    }
}
