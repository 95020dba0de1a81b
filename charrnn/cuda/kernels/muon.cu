// Muon: momentum orthogonalized by Newton-Schulz iterations (see optimizers/muon.py).
//
// Dimensions
//     B pieces, each rows by K of a matrix, multiplied as R by C: R is the shorter side of all
//     pieces, padded with zeros, which stay zeros.

// m = 0.9 m + g and x (B, R, C) = (g + 0.9 m) / its norm, with one block of 1024 threads per piece.
// first (B,): where each piece begins in the flat vectors; rows (B,): how many it has.
// turned: a piece has more rows than columns and is stored in x as its transpose.
extern "C" __global__ void momentum(float* x, float* m, const float* grad, const long long* first,
                                    const int* rows, const int* control, const float* factors,
                                    int turned, int K, int R, int C) {
    __shared__ float sums[1024];
    if (control[2]) return;
    long long start = first[blockIdx.x], base = (long long)blockIdx.x * R * C;
    int n = rows[blockIdx.x] * K;
    float s = 0;
    for (int i = threadIdx.x; i < R * C; i += 1024) x[base + i] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += 1024) {
        float g = grad[start + i] * factors[0], v = 0.9f * m[start + i] + g, ahead = 0.9f * v + g;
        m[start + i] = v;
        x[base + (turned ? (long long)(i % K) * C + i / K : (long long)(i / K) * C + i % K)] = ahead;
        s += ahead * ahead;
    }
    sums[threadIdx.x] = s;
    for (int k = 512; k; k /= 2) {
        __syncthreads();
        if (threadIdx.x < k) sums[threadIdx.x] += sums[threadIdx.x + k];
    }
    __syncthreads();
    s = rsqrtf(sums[0] + 1e-30f);
    for (int i = threadIdx.x; i < R * C; i += 1024) x[base + i] *= s;
}

// top = |square| ** 0.5, A /= top, factor = a I + b A + c square / top^2, with one block of
// 1024 threads per piece; A, square, factor (B, R, R). The update of a gradient of zeros is zero.
extern "C" __global__ void first_factor(float* A, const float* square, float* factor, float* top,
                                        int R) {
    __shared__ float sums[1024];
    long long base = (long long)blockIdx.x * R * R;
    float s = 0;
    for (int i = threadIdx.x; i < R * R; i += 1024) s += square[base + i] * square[base + i];
    sums[threadIdx.x] = s;
    for (int k = 512; k; k /= 2) {
        __syncthreads();
        if (threadIdx.x < k) sums[threadIdx.x] += sums[threadIdx.x + k];
    }
    __syncthreads();
    float t = fmaxf(sqrtf(sqrtf(sums[0])), 1e-12f);
    if (threadIdx.x == 0) top[blockIdx.x] = t;
    for (int i = threadIdx.x; i < R * R; i += 1024) {
        float a = A[base + i] / t, one = i / R == i % R ? 3.4445f : 0.0f;
        A[base + i] = a;
        factor[base + i] = 2.0315f * square[base + i] / (t * t) - 4.7750f * a + one;
    }
}

// factor = a I + b A + c square, for all pieces: n = B R R numbers.
extern "C" __global__ void next_factor(float* factor, const float* A, const float* square, int R,
                                       int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float one = i % (R * R) / R == i % R ? 3.4445f : 0.0f;
    factor[i] = 2.0315f * square[i] - 4.7750f * A[i] + one;
}

// theta = theta (1 - lr decay) - lr size / sqrt(top) x, piece by piece: size is 0.12 sqrt(max(rows,
// K)). blockIdx.y is the piece; a thread updates one weight.
extern "C" __global__ void turn_weights(float* theta, const float* x, const float* top,
                                        const long long* first, const int* rows, int* control,
                                        const float* factors, int turned, float decay, int K,
                                        int R, int C) {
    if (control[2]) return;
    int i = blockIdx.x * blockDim.x + threadIdx.x, piece = blockIdx.y;
    if (i >= rows[piece] * K) return;
    long long at = turned ? (long long)(i % K) * C + i / K : (long long)(i / K) * C + i % K;
    float size = 0.12f * sqrtf((float)max(rows[piece], K)), rate = factors[1];
    float step = rate * size * rsqrtf(top[piece]) * x[(long long)piece * R * C + at];
    float w = theta[first[piece] + i] * (1 - rate * decay) - step;
    theta[first[piece] + i] = w;
    if (!(fabsf(w) <= 1e6f)) control[3] = 1;
}
