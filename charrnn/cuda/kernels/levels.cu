// Between the levels: dropout, and the two directions of a level.
//
// Dimensions
//     T steps per window, N streams, H hidden units, F = H for one direction, 2 H for two.
//
// All steps of a window share one mask: it depends only on the training step, the stream and the
// feature.

// The position in a stream at step t of the backward layer.
__device__ __forceinline__ int turned(int t, int length) { return t < length ? length - 1 - t : t; }

// y (T, N, F) = dropout([h; reversed h_back]) of steps t0 to t1 of a window. h and h_back (T, N, H)
// are outputs. h_back is null for one direction. A thread computes one feature of one stream.
extern "C" __global__ void join(float* y, bf16* shadow, const float* h, const float* h_back,
                                const int* lengths, const int* control, int seed, float rate,
                                int t0, int t1, int N, int H) {
    int F = h_back ? 2 * H : H;
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x + (long long)t0 * N * F;
    if (i >= (long long)t1 * N * F) return;
    int f = i % F, s = i / F % N, t = i / F / N;
    float x;
    if (f < H) x = h[((long long)t * N + s) * H + f];
    else x = h_back[((long long)turned(t, lengths[s]) * N + s) * H + f - H];
    if (rate > 0) x *= mask(mix(seed, control[0]), s * F + f, rate);
    y[i] = x;
    if (shadow) shadow[i] = to_bf16(x);
}

// The gradient of join: dh and dh_back from dy. dh may be dy itself for one direction.
extern "C" __global__ void part(float* dh, float* dh_back, const float* dy, const int* lengths,
                                const int* control, int seed, float rate, int t0, int t1, int N,
                                int H) {
    int F = dh_back ? 2 * H : H;
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x + (long long)t0 * N * F;
    if (i >= (long long)t1 * N * F) return;
    int f = i % F, s = i / F % N, t = i / F / N;
    float x = dy[i];
    if (rate > 0) x *= mask(mix(seed, control[0]), s * F + f, rate);
    if (f < H) dh[((long long)t * N + s) * H + f] = x;
    else dh_back[((long long)turned(t, lengths[s]) * N + s) * H + f - H] = x;
}

// out (T, N, F) = x, each stream reversed within its length (add: added to out).
extern "C" __global__ void turn(float* out, bf16* shadow, const float* x, const int* lengths,
                                int add, int T, int N, int F) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (long long)T * N * F) return;
    int f = i % F, s = i / F % N, t = i / F / N;
    float value = x[((long long)turned(t, lengths[s]) * N + s) * F + f];
    if (add) value += out[i];
    out[i] = value;
    if (shadow) shadow[i] = to_bf16(value);
}

// out (n,) = x after dropout, for recurrent weights or their gradient.
extern "C" __global__ void thin(float* out, bf16* shadow, const float* x, const int* control,
                                int seed, float rate, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float value = x[i] * mask(mix(seed, control[0]), i, rate);
    out[i] = value;
    if (shadow) shadow[i] = to_bf16(value);
}

// shadow (n,) = x in bf16.
extern "C" __global__ void copy_bf16(bf16* shadow, const float* x, long long n) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) shadow[i] = to_bf16(x[i]);
}
