// The backward steps of a recurrent layer in one launch; persistent.cuh explains how.
//
// Dimensions
//     T steps per window, N streams, H hidden units, G gates.
#include "persistent.cuh"

// One unit of one stream. z (G) holds the gates and becomes dz; y is dh; a and b: for the LSTM c
// and c_prev, for the GRU nh and h_prev, else a is h; `carry`: for the LSTM dc, for the GRU the part
// of dh that bypasses the product. dz_h (G) is the gradient of Wh h.
//     LSTM: dc = dc + y o (1 - tanh(c)^2), dz_o = y tanh(c) o (1 - o), dz_i = dc g i (1 - i),
//           dz_f = dc c_prev f (1 - f), dz_g = dc i (1 - g^2), dc = dc f
//     GRU:  dz_n = y (1 - u) (1 - n^2), dz_r = dz_n nh r (1 - r), dz_u = y (h_prev - n) u (1 - u),
//           dz_nh = dz_n r, which dz_h has for dz_n; dh = y u + Wh^T dz_h
__device__ __forceinline__ void step(float (&z)[G], float (&dz_h)[G], float y, float a, float b,
                                     float& carry) {
#if CELL == 3
    const float o = z[0], i = z[1], f = z[2], g = z[3], tanh_c = tanhf(a);
    const float dc = carry + y * o * (1 - tanh_c * tanh_c);
    dz_h[0] = z[0] = y * tanh_c * o * (1 - o);
    dz_h[1] = z[1] = dc * g * i * (1 - i);
    dz_h[2] = z[2] = dc * b * f * (1 - f);
    dz_h[3] = z[3] = dc * i * (1 - g * g);
    carry = dc * f;
#elif CELL == 2
    const float r = z[0], u = z[1], n = z[2];
    const float dz_n = y * (1 - u) * (1 - n * n);
    dz_h[0] = z[0] = dz_n * a * r * (1 - r);
    dz_h[1] = z[1] = y * (b - n) * u * (1 - u);
    dz_h[2] = dz_n * r;
    z[2] = dz_n;
    carry = y * u;
#else
    dz_h[0] = z[0] = CELL == 1 ? (a > 0 ? y : 0.0f) : y * (1 - a * a);
#endif
}

// Steps t1 - 1 down to t0.
//     z (T, N, G H): the gates, which are replaced by dz (also in bf16 in z_shadow, if any)
//     dz_h (T, N, G H): from t0 to t1 - 1 it holds NOTHING and receives the gradient of Wh h,
//         rounded to tf32; in bf16 that is dz_h_shadow, and dz_h, if any, is float32
//     Wh (G H, H); h (T + 1, N, H); aux: for the LSTM c (T + 1, N, H), for the GRU nh (T, N, H)
//     dy (T, N, H); dh and, for the LSTM, dc (N, H): the gradients from steps t1 on, which are
//         replaced by those for the steps before t0, unless t0 is 0
// Grid (H / UNITS, N / (STREAMS subs)).
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
persistent_backward(float* z, bf16* z_shadow, float* dz_h, bf16* dz_h_shadow, const float* Wh,
                    const float* h, const float* aux, const float* dy, float* dh, float* dc, int N,
                    int subs, int t0, int t1) {
    extern __shared__ float4 memory[];
    constexpr int K = G * H / WARPS, PART = WARPS * TILES * HALVES * 128;
    typedef Product<TILES, K, false> Step;
    float* sums = (float*)(memory + Step::SHARED);
    float* carries = sums + SUMS * PART + threadIdx.x;  // (subs, TILES, THREADS)
    const int warp = threadIdx.x / 32, q = threadIdx.x % 4, p = threadIdx.x % 32 / 4;
    const int j0 = blockIdx.x * UNITS, j = j0 + threadIdx.x % 16;
    const int n0 = blockIdx.y * subs * STREAMS, n = n0 + threadIdx.x / 16;
    const bool active = STREAMS == 16 || threadIdx.x < 128;

    Step product;
    product.rest = (uint4*)memory + threadIdx.x;
    product.load(Wh + (long long)warp * K * H + j0 + p, 1, H, [](int r) { return r * 16; });
    for (int i = 0; i < subs * TILES && active; ++i) {
        const int at = (n + i / TILES * STREAMS) * H + j + i % TILES * 16;
        carries[i * THREADS] = CELL == 3 ? dc[at] : 0.0f;
    }
    const unsigned* given = BF16 ? (const unsigned*)dz_h_shadow : (const unsigned*)dz_h;
    given += ((n0 + p) * G * H + warp * K) / PER_WORD + q * Step::W;
    const int half = 8 * G * H / PER_WORD;
    const auto state_of = [&](int t, int s) {
        return given + ((long long)t * N + s * STREAMS) * (G * H / PER_WORD);
    };
    float x[TILES][G], y[TILES], a[TILES], b[TILES];
    const auto fetch = [&](int t, int s) {
        const long long row = (long long)t * N + n + s * STREAMS;
        #pragma unroll
        for (int i = 0; i < TILES && active; ++i) {
            const long long at = row * H + j + 16 * i, next = at + (long long)N * H;
            y[i] = dy[at];
            a[i] = CELL == 3 ? aux[next] : CELL == 2 ? aux[at] : h[next];
            b[i] = CELL == 3 ? aux[at] : CELL == 2 ? h[at] : 0.0f;
            #pragma unroll
            for (int k = 0; k < G; ++k) x[i][k] = z[row * G * H + k * H + j + 16 * i];
        }
    };

    // Step t0 - 1 is not computed here: it only receives its incoming gradient.
    Step::State v;
    fetch(t1 - 1, 0);
    for (int t = t1 - 1, s = 0, turn = 0; t >= t0 - (t0 > 0); ++turn) {
        const int next_s = s + 1 < subs ? s + 1 : 0, next_t = t - (next_s == 0);
        float d[TILES][HALVES][4] = {}, *own = sums + turn % SUMS * PART;
        if (t < t1 - 1) {
            if (!AHEAD) Step::ask(v, state_of(t + 1, s), half);
            product.compute(d, v, state_of(t + 1, s), half);
            if (SUMS == 1) __syncthreads();
            put_sums(own, d);
            __syncthreads();
        }
        if (AHEAD && next_t < t1 - 1) Step::ask(v, state_of(next_t + 1, next_s), half);
        #pragma unroll
        for (int i = 0; i < TILES && active; ++i) {
            const int place = (n + s * STREAMS) * H + j + 16 * i;
            float& carry = carries[(s * TILES + i) * THREADS];
            float from_later = t < t1 - 1 ? take_sum<TILES>(own, i) : dh[place];
            if (CELL == 2) from_later += carry;
            if (t < t0) {
                dh[place] = from_later;
                if (CELL == 3) dc[place] = carry;
                continue;
            }
            float out[G];
            step(x[i], out, y[i] + from_later, a[i], b[i], carry);
            const long long to = ((long long)t * N + n + s * STREAMS) * G * H + j + 16 * i;
            #pragma unroll
            for (int k = 0; k < G; ++k)
                give(dz_h, dz_h_shadow, to + k * H,
                     BF16 ? out[k] : __uint_as_float(as_tf32(out[k])));
            #pragma unroll
            for (int k = 0; k < G; ++k) {
                z[to + k * H] = x[i][k];
                if (BF16 && dz_h) dz_h[to + k * H] = out[k];
                if (BF16 && z_shadow) z_shadow[to + k * H] = to_bf16(x[i][k]);
            }
        }
        t = next_t, s = next_s;
        if (t >= t0) fetch(t, s);
    }
}
