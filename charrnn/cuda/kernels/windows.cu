// The inputs of a step, and the state that its streams carry over.
//
// Dimensions
//     T steps per window, N streams, H hidden units; K steps per chunk.

// ids[t, s], targets[t, s]: the window of a step, from the text of the chunk.
// text (K T + 1, N): the input of the streams in the chunk. A thread copies one symbol.
extern "C" __global__ void window(const int* text, const int* control, int* ids, int* targets,
                                  int T, int N) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (T + 1) * N) return;
    int id = text[(long long)control[1] * T * N + i];
    if (i < T * N) ids[i] = id;
    if (i >= N) targets[i - N] = id;
}

// keep[s]: 0 if a stream restarts from a zero state, else 1.
extern "C" __global__ void draw_resets(float* keep, const int* control, int seed, float rate,
                                       int N) {
    int s = blockIdx.x * blockDim.x + threadIdx.x;
    if (s < N) keep[s] = mask(mix(seed, control[0]), s, rate) > 0 ? 1.0f : 0.0f;
}

// first (N, H) = keep * state: the state before the window.
extern "C" __global__ void begin(float* first, bf16* shadow, const float* state, const float* keep,
                                 int N, int H) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= N * H) return;
    float x = keep[i / H] > 0 ? state[i] : 0.0f;
    first[i] = x;
    if (shadow) shadow[i] = to_bf16(x);
}

// state (n,) = last: the state after the window, if the step was applied.
extern "C" __global__ void carry(float* state, const float* last, const int* control, int n) {
    if (control[2]) return;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) state[i] = last[i];
}

// out (T, N) = ids, each stream reversed within its length; padding stays in place.
extern "C" __global__ void turn_ids(int* out, const int* ids, const int* lengths, int T, int N) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= T * N) return;
    int t = i / N, s = i % N, from = t < lengths[s] ? lengths[s] - 1 - t : t;
    out[i] = ids[from * N + s];
}

// Ends a step: the next one of the chunk has the next number. control is
// {step, index in the chunk, halted, a weight is not sound}, and results (K, 4) are
// {summed nats, gradient norm, applied, sound} of each step.
extern "C" __global__ void advance(int* control, float* results) {
    if (control[2]) return;
    if (control[3]) {
        results[4 * control[1] + 3] = 0;
        control[2] = 1;
        return;
    }
    control[0] += 1;
    control[1] += 1;
}
