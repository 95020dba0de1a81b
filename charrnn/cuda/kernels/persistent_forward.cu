// The forward steps of a recurrent layer in one launch; persistent.cuh explains how.
//
// Dimensions
//     T steps per window, N streams, H hidden units, G gates.
#include "persistent.cuh"

// One unit of one stream. z (G): Wx x + b, replaced by the gates; s (G): Wh h_prev; `state`: c for
// the LSTM, else h. Returns h.
//     LSTM: [o; i; f] = sigmoid(z + s), g = tanh(z + s), c = i g + f c, h = o tanh(c)
//     GRU:  [r; u] = sigmoid(z + s), nh = s + b_n, n = tanh(z + r nh), h = n + u (h - n)
__device__ __forceinline__ float step(float (&z)[G], const float (&s)[G], float b_n, float& state,
                                      float& nh) {
#if CELL == 3
    const float o = sigmoid(z[0] + s[0]), i = sigmoid(z[1] + s[1]), f = sigmoid(z[2] + s[2]);
    const float g = tanhf(z[3] + s[3]);
    z[0] = o, z[1] = i, z[2] = f, z[3] = g;
    state = i * g + f * state;
    return o * tanhf(state);
#elif CELL == 2
    const float r = sigmoid(z[0] + s[0]), u = sigmoid(z[1] + s[1]);
    nh = s[2] + b_n;
    const float n = tanhf(z[2] + r * nh);
    z[0] = r, z[1] = u, z[2] = n;
    return state = n + u * (state - n);
#else
    return state = CELL == 1 ? fmaxf(z[0] + s[0], 0.0f) : tanhf(z[0] + s[0]);
#endif
}

// Steps t0 to t1 - 1, with the state before them in h[t0] and, for the LSTM, c[t0].
//     z (T, N, G H): Wx x, replaced by the gates (except for a simple RNN)
//     Wh (G H, H), b (G H), b_n (H) for the GRU
//     h (T + 1, N, H): from t0 + 1 to t1 it holds NOTHING; in bf16 h_shadow does
//     aux: for the LSTM c (T + 1, N, H), for the GRU nh (T, N, H)
// Grid (H / UNITS, N / (STREAMS subs)).
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
persistent_forward(float* z, const float* Wh, const float* b, const float* b_n, float* h,
                   bf16* h_shadow, float* aux, int N, int subs, int t0, int t1) {
    extern __shared__ float4 memory[];
    constexpr int ROWS = G * TILES, K = H / WARPS, PART = WARPS * ROWS * HALVES * 128;
    typedef Product<ROWS, K, !BF16> Step;
    float* sums = (float*)(memory + Step::SHARED);
    float* biases = sums + SUMS * PART;                      // (G + 1, UNITS), the last b_n
    float* states = biases + (G + 1) * UNITS + threadIdx.x;  // (subs, TILES, THREADS)
    const int warp = threadIdx.x / 32, q = threadIdx.x % 4, p = threadIdx.x % 32 / 4;
    const int j0 = blockIdx.x * UNITS, j = j0 + threadIdx.x % 16;
    const int n0 = blockIdx.y * subs * STREAMS, n = n0 + threadIdx.x / 16;
    const bool active = STREAMS == 16 || threadIdx.x < 128;

    Step product;
    product.rest = (uint4*)memory + threadIdx.x;
    product.load(Wh + (long long)(j0 + p) * H + warp * K, H, 1,
                 [](int r) { return (long long)(r / TILES * H + r % TILES * 16) * H; });
    for (int i = 0; i < subs * TILES && active; ++i) {
        const long long at = (long long)t0 * N + n + i / TILES * STREAMS;
        states[i * THREADS] = (CELL == 3 ? aux : h)[at * H + j + i % TILES * 16];
    }
    for (int i = threadIdx.x; i < (G + (CELL == 2)) * UNITS; i += THREADS)
        biases[i] = (i < G * UNITS ? b + i / UNITS * H : b_n)[j0 + i % UNITS];
    const unsigned* given = BF16 ? (const unsigned*)h_shadow : (const unsigned*)h;
    given += ((n0 + p) * H + warp * K) / PER_WORD + q * Step::W;
    const int half = 8 * H / PER_WORD;
    const auto state_of = [&](int t, int s) {
        return given + ((long long)t * N + s * STREAMS) * (H / PER_WORD);
    };
    const auto gates_of = [&](int t, int s) {
        return z + ((long long)t * N + n + s * STREAMS) * G * H + j;
    };
    float x[TILES][G];
    const auto fetch = [&](const float* gates) {
        #pragma unroll
        for (int i = 0; i < TILES && active; ++i)
            #pragma unroll
            for (int k = 0; k < G; ++k) x[i][k] = gates[k * H + 16 * i];
    };

    Step::State v;
    fetch(gates_of(t0, 0));
    if (AHEAD) Step::ask(v, state_of(t0, 0), half);
    for (int t = t0, s = 0, turn = 0; t < t1; ++turn) {
        const int next_s = s + 1 < subs ? s + 1 : 0, next_t = t + (next_s == 0);
        float d[ROWS][HALVES][4] = {}, *own = sums + turn % SUMS * PART;
        if (!AHEAD) Step::ask(v, state_of(t, s), half);
        product.compute(d, v, state_of(t, s), half);
        if (SUMS == 1) __syncthreads();
        put_sums(own, d);
        __syncthreads();
        if (AHEAD) Step::ask(v, state_of(next_t, next_s), half);
        #pragma unroll
        for (int i = 0; i < TILES && active; ++i) {
            const float* bias = biases + threadIdx.x % 16 + 16 * i;
            float sum[G], nh, *gates = gates_of(t, s) + 16 * i;
            #pragma unroll
            for (int k = 0; k < G; ++k) {
                sum[k] = take_sum<ROWS>(own, k * TILES + i);
                x[i][k] += bias[k * UNITS];
            }
            float& state = states[(s * TILES + i) * THREADS];
            const float y = step(x[i], sum, bias[G * UNITS], state, nh);
            const long long at = ((long long)t * N + n + s * STREAMS) * H + j + 16 * i;
            const long long next = at + (long long)N * H;
            give(h, h_shadow, next, y);
            if (BF16) h[next] = y;
            if (CELL == 3) aux[next] = state;
            if (CELL == 2) aux[at] = nh;
            #pragma unroll
            for (int k = 0; k < G && CELL >= 2; ++k) gates[k * H] = x[i][k];
        }
        t = next_t, s = next_s;
        if (t < t1) fetch(gates_of(t, s));
    }
}
