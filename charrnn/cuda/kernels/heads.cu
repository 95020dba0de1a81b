// Predictions, their loss and its gradient.
//
// Dimensions
//     M predictions, C classes, Cp a padded row of logits; T steps, N streams, H hidden units,
//     F = H for one direction, 2 H for two.

// nats[m] = weight (-log softmax(logits + b)[target]) and
// dlogits = (softmax - onehot(target)) * scale * weight, which overwrites the logits.
// weight (M,) is 0 for targets that do not count; null if all do. A warp computes one prediction.
extern "C" __global__ void cross_entropy(float* logits, bf16* shadow, const float* b,
                                         const int* targets, const float* weight, float* nats,
                                         float scale, int M, int C, int Cp) {
    int m = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (m >= M) return;
    float* row = logits + (long long)m * Cp;
    float top = -3.4e38f;
    for (int c = lane; c < C; c += 32) top = fmaxf(top, row[c] + b[c]);
    for (int k = 16; k; k /= 2) top = fmaxf(top, __shfl_xor_sync(~0u, top, k));
    float total = 0, right = 0;
    for (int c = lane; c < C; c += 32) {
        float x = row[c] + b[c] - top;
        if (c == targets[m]) right = x;
        x = expf(x);
        row[c] = x;
        total += x;
    }
    for (int k = 16; k; k /= 2) {
        total += __shfl_xor_sync(~0u, total, k);
        right += __shfl_xor_sync(~0u, right, k);
    }
    float counts = weight ? weight[m] : 1.0f, factor = scale * counts;
    for (int c = lane; c < Cp; c += 32) {
        float x = c < C ? (row[c] / total - (c == targets[m] ? 1.0f : 0.0f)) * factor : 0.0f;
        if (factor == 0) x = 0;
        row[c] = x;
        if (shadow) shadow[(long long)m * Cp + c] = to_bf16(x);
    }
    if (lane == 0) nats[m] = counts > 0 ? (logf(total) - right) * counts : 0.0f;
}

// Only nats[m] = -log softmax(logits + b)[target], for scoring.
extern "C" __global__ void cross_entropy_alone(const float* logits, const float* b,
                                               const int* targets, float* nats, int M, int C,
                                               int Cp) {
    int m = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (m >= M) return;
    const float* row = logits + (long long)m * Cp;
    float top = -3.4e38f;
    for (int c = lane; c < C; c += 32) top = fmaxf(top, row[c] + b[c]);
    for (int k = 16; k; k /= 2) top = fmaxf(top, __shfl_xor_sync(~0u, top, k));
    float total = 0;
    for (int c = lane; c < C; c += 32) total += expf(row[c] + b[c] - top);
    for (int k = 16; k; k /= 2) total += __shfl_xor_sync(~0u, total, k);
    if (lane == 0) nats[m] = logf(total) + top - row[targets[m]] - b[targets[m]];
}

// out (M, C) += logits (M, Cp) + b, or = that: the sum over members of a model.
extern "C" __global__ void add_logits(float* out, const float* logits, const float* b, int add,
                                      int M, int C, int Cp) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (long long)M * C) return;
    float x = logits[i / C * Cp + i % C] + b[i % C];
    out[i] = add ? out[i] + x : x;
}

// ends (N, F): the final outputs of each direction, y[length - 1, :, :H] of the forward one and
// y[0, :, H:] of the backward one.
extern "C" __global__ void take_ends(float* ends, bf16* shadow, const float* y, const int* lengths,
                                     int N, int F, int H) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= N * F) return;
    int s = i / F, f = i % F, t = f < H ? lengths[s] - 1 : 0;
    float x = y[((long long)t * N + s) * F + f];
    ends[i] = x;
    if (shadow) shadow[i] = to_bf16(x);
}

// The gradient of take_ends: dy (T, N, F), zero except at the ends.
extern "C" __global__ void give_ends(float* dy, const float* dends, const int* lengths, int T,
                                     int N, int F, int H) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (long long)T * N * F) return;
    int f = i % F, s = i / F % N, t = i / F / N;
    dy[i] = t == (f < H ? lengths[s] - 1 : 0) ? dends[s * F + f] : 0.0f;
}
