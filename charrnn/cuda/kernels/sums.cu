// Sums in a fixed order: two runs give equal bits.
//
// Dimensions
//     M rows, F columns, n numbers.

// part (parts, F): the sum of every `parts`-th group of rows of x (M, F), whose rows are
// `stride` numbers apart. A block of 32 x 32 threads sums 32 columns of one part.
extern "C" __global__ void column_sums(float* part, const float* x, int M, int F, int stride) {
    __shared__ float sums[32][33];
    int f = blockIdx.x * 32 + threadIdx.x;
    float s = 0;
    if (f < F)
        for (int m = blockIdx.y * 32 + threadIdx.y; m < M; m += 32 * gridDim.y)
            s += x[(long long)m * stride + f];
    sums[threadIdx.y][threadIdx.x] = s;
    __syncthreads();
    if (threadIdx.y == 0 && f < F) {
        for (int k = 1; k < 32; ++k) s += sums[k][threadIdx.x];
        part[blockIdx.y * F + f] = s;
    }
}

// out (F,) = the sum of the rows of part (parts, F). A thread sums one column.
extern "C" __global__ void add_parts(float* out, const float* part, int parts, int F) {
    int f = blockIdx.x * blockDim.x + threadIdx.x;
    if (f >= F) return;
    float s = 0;
    for (int p = 0; p < parts; ++p) s += part[p * F + f];
    out[f] = s;
}

// part (gridDim.x,): sums of squares of x (n,). Blocks of 256 threads.
extern "C" __global__ void squares(float* part, const float* x, long long n) {
    __shared__ float sums[256];
    float s = 0;
    for (long long i = blockIdx.x * 256LL + threadIdx.x; i < n; i += gridDim.x * 256LL)
        s += x[i] * x[i];
    sums[threadIdx.x] = s;
    for (int k = 128; k; k /= 2) {
        __syncthreads();
        if (threadIdx.x < k) sums[threadIdx.x] += sums[threadIdx.x + k];
    }
    if (threadIdx.x == 0) part[blockIdx.x] = sums[0];
}

// *out (+)= the sum of x (n,), in double precision. One block of 1024 threads.
extern "C" __global__ void total(float* out, const float* x, int n, int add) {
    __shared__ double sums[1024];
    double s = 0;
    for (int i = threadIdx.x; i < n; i += 1024) s += x[i];
    sums[threadIdx.x] = s;
    for (int k = 512; k; k /= 2) {
        __syncthreads();
        if (threadIdx.x < k) sums[threadIdx.x] += sums[threadIdx.x + k];
    }
    if (threadIdx.x == 0) *out = (float)(add ? *out + sums[0] : sums[0]);
}
