// One step of a recurrent layer, between its products. The equations are those of nn/cells.
//
// Dimensions
//     N streams, H hidden units. A thread computes one unit of one stream.
//
// z holds Wx x + Wh h of a step (for the GRU, only Wx x) and receives the activations of the gates;
// the backward pass replaces them by their gradients. dh and dc are the gradients of h and c from
// step t + 1. A shadow is a bf16 copy for the operands of products.

// [o; i; f] = sigmoid(z + b), g = tanh(z + b), c = i g + f c_prev, h = o tanh(c)
extern "C" __global__ void lstm_forward(float* z, const float* b, const float* c_prev, float* c,
                                        float* h, bf16* shadow, int N, int H) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= N * H) return;
    int j = at % H;
    float* gates = z + (long long)(at / H) * 4 * H + j;
    float o = sigmoid(gates[0] + b[j]), i = sigmoid(gates[H] + b[H + j]);
    float f = sigmoid(gates[2 * H] + b[2 * H + j]), g = tanhf(gates[3 * H] + b[3 * H + j]);
    float c_new = i * g + f * c_prev[at], h_new = o * tanhf(c_new);
    gates[0] = o, gates[H] = i, gates[2 * H] = f, gates[3 * H] = g;
    c[at] = c_new;
    h[at] = h_new;
    if (shadow) shadow[at] = to_bf16(h_new);
}

// dc = dc + dh o (1 - tanh(c)^2); dz_o, dz_i, dz_f, dz_g; dc = dc f, with dh = dy + dh
extern "C" __global__ void lstm_backward(float* z, bf16* shadow, const float* c_prev,
                                         const float* c, const float* dy, const float* dh,
                                         float* dc, int N, int H) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= N * H) return;
    long long first = (long long)(at / H) * 4 * H + at % H;
    float* gates = z + first;
    float o = gates[0], i = gates[H], f = gates[2 * H], g = gates[3 * H];
    float tanh_c = tanhf(c[at]), y = dy[at] + dh[at];
    float d = dc[at] + y * o * (1 - tanh_c * tanh_c);
    float dz[4] = {y * tanh_c * o * (1 - o), d * g * i * (1 - i), d * c_prev[at] * f * (1 - f),
                   d * i * (1 - g * g)};
    for (int k = 0; k < 4; ++k) {
        gates[k * H] = dz[k];
        if (shadow) shadow[first + k * H] = to_bf16(dz[k]);
    }
    dc[at] = d * f;
}

// [r; u] = sigmoid(z + b + zh), nh = zh + b_n, n = tanh(z + b + r nh), h = n + u (h_prev - n)
extern "C" __global__ void gru_forward(float* z, const float* b, const float* zh, const float* b_n,
                                       const float* h_prev, float* h, bf16* shadow, float* nh,
                                       int N, int H) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= N * H) return;
    int j = at % H;
    long long first = (long long)(at / H) * 3 * H + j;
    float* gates = z + first;
    const float* recurrent = zh + first;
    float r = sigmoid(gates[0] + b[j] + recurrent[0]);
    float u = sigmoid(gates[H] + b[H + j] + recurrent[H]);
    float m = recurrent[2 * H] + b_n[j];
    float n = tanhf(gates[2 * H] + b[2 * H + j] + r * m);
    float h_new = n + u * (h_prev[at] - n);
    gates[0] = r, gates[H] = u, gates[2 * H] = n;
    nh[at] = m;
    h[at] = h_new;
    if (shadow) shadow[at] = to_bf16(h_new);
}

// dzh = [dz_r; dz_u; dz_nh] is the gradient of Wh h, and z = [dz_r; dz_u; dz_n] that of Wx x;
// dh = dh u is the gradient of h_prev without the product.
extern "C" __global__ void gru_backward(float* z, bf16* shadow, float* dzh, bf16* dzh_shadow,
                                        const float* nh, const float* h_prev, const float* dy,
                                        float* dh, int N, int H) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= N * H) return;
    long long first = (long long)(at / H) * 3 * H + at % H;
    float* gates = z + first;
    float* out = dzh + first;
    float r = gates[0], u = gates[H], n = gates[2 * H], y = dy[at] + dh[at];
    float dn = y * (1 - u) * (1 - n * n), dr = dn * nh[at] * r * (1 - r);
    float du = y * (h_prev[at] - n) * u * (1 - u);
    out[0] = gates[0] = dr;
    out[H] = gates[H] = du;
    out[2 * H] = dn * r;
    gates[2 * H] = dn;
    if (shadow) {
        shadow[first] = dzh_shadow[first] = to_bf16(dr);
        shadow[first + H] = dzh_shadow[first + H] = to_bf16(du);
        shadow[first + 2 * H] = to_bf16(dn);
        dzh_shadow[first + 2 * H] = to_bf16(dn * r);
    }
    dh[at] = y * u;
}

// h = tanh(z + b), or max(0, z + b)
extern "C" __global__ void rnn_forward(const float* z, const float* b, float* h, bf16* shadow,
                                       int relu, int N, int H) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= N * H) return;
    float a = z[at] + b[at % H], h_new = relu ? fmaxf(a, 0.0f) : tanhf(a);
    h[at] = h_new;
    if (shadow) shadow[at] = to_bf16(h_new);
}

// z = dz = (dy + dh) (1 - h^2), or where h > 0
extern "C" __global__ void rnn_backward(float* z, bf16* shadow, const float* h, const float* dy,
                                        const float* dh, int relu, int N, int H) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= N * H) return;
    float y = dy[at] + dh[at], a = h[at];
    float dz = relu ? (a > 0 ? y : 0.0f) : y * (1 - a * a);
    z[at] = dz;
    if (shadow) shadow[at] = to_bf16(dz);
}
