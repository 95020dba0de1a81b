// Whether a step is applied, and the elementwise optimizers.
//
// Dimensions
//     K steps per chunk, n weights.
//
// control is {step, index in the chunk, halted, a weight is not sound}. Every kernel that changes
// weights, optimizer or state first checks whether the run is halted.
// factors is {gradient scale, learning rate, Adam's step, Adam's epsilon}.

// Writes results[index] = {nats, norm, applied, sound} and the factors of the step; halts if the
// loss or the norm is not finite. nats and squares are summed over all members. One thread.
extern "C" __global__ void judge(float* results, int* control, float* factors, const float* rates,
                                 const float* nats, const float* squares, int members,
                                 float max_norm) {
    if (control[2]) return;
    float loss = *nats / members, norm = sqrtf(*squares / members);
    bool applied = isfinite(loss) && isfinite(norm);
    float* result = results + 4 * control[1];
    result[0] = loss, result[1] = norm, result[2] = applied, result[3] = 1;
    if (!applied) {
        control[2] = 1;
        return;
    }
    double step = control[0], rate = rates[control[1]];
    double unbias1 = (1 - 0.9) / (1 - pow(0.9, step));
    double unbias2 = sqrt((1 - 0.99) / (1 - pow(0.99, step)));
    factors[0] = max_norm > 0 && norm > max_norm ? max_norm / norm : 1.0f;
    factors[1] = rate;
    factors[2] = rate * unbias1 / unbias2;
    factors[3] = 1e-8 / unbias2;
}

// One update of every weight by the rules of optimizers/elementwise.py. kind: 0 sgd, 1 momentum,
// 2 nesterov, 3 adagrad, 4 rmsprop, 5 adam, 6 adamw (decay decoupled). a and b are the state
// vectors of the optimizer, null if it has none. Sets control[3] if a weight is not sound.
extern "C" __global__ void update(float* theta, const float* grad, float* a, float* b,
                                  int* control, const float* factors, int kind, float decay,
                                  long long n) {
    if (control[2]) return;
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float rate = factors[1], x = theta[i], g = grad[i] * factors[0];
    if (kind == 6) x *= 1 - rate * decay;
    else g += decay * x;
    if (kind == 0) x -= rate * g;
    if (kind == 1 || kind == 2) {
        float velocity = 0.9f * a[i] + g;
        a[i] = velocity;
        x -= rate * (kind == 1 ? velocity : g + 0.9f * velocity);
    }
    if (kind == 3 || kind == 4) {
        float squares = kind == 3 ? a[i] + g * g : 0.99f * a[i] + 0.01f * g * g;
        a[i] = squares;
        x -= rate * g / (sqrtf(squares) + (kind == 3 ? 1e-10f : 1e-8f));
    }
    if (kind >= 5) {
        float m = 0.9f * a[i] + g, v = 0.99f * b[i] + g * g;
        a[i] = m, b[i] = v;
        x -= factors[2] * m / (sqrtf(v) + factors[3]);
    }
    theta[i] = x;
    if (!(fabsf(x) <= 1e6f)) control[3] = 1;
}

// theta[rows] = kept: the weights of symbols that are not in the text are frozen.
extern "C" __global__ void keep_rows(float* theta, const float* kept, const int* rows,
                                     const int* control, int count, int F) {
    if (control[2]) return;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count * F) theta[(long long)rows[i / F] * F + i % F] = kept[i];
}
