// The input of the lowest layer.
//
// Dimensions
//     M predictions or symbols (T steps times N streams), V symbols, F features.

// out (M, F) = table[ids], with an optional bf16 copy. A thread copies one number.
extern "C" __global__ void gather(float* out, bf16* shadow, const float* table, const int* ids,
                                  int M, int F) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (long long)M * F) return;
    float x = table[(long long)ids[i / F] * F + i % F];
    if (out) out[i] = x;
    if (shadow) shadow[i] = to_bf16(x);
}

// out (M, F) = table[ids] for F a multiple of 4. A thread copies four numbers.
extern "C" __global__ void gather4(float* out, const float* table, const int* ids, int M, int F) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    int quarter = F / 4;
    if (i >= (long long)M * quarter) return;
    const float4* rows = (const float4*)table;
    ((float4*)out)[i] = rows[(long long)ids[i / quarter] * quarter + i % quarter];
}

// out (M, V) = 1 where v is the symbol, else 0: a factor of the gradient of a table.
extern "C" __global__ void one_hot(float* out, bf16* shadow, const int* ids, int M, int V) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (long long)M * V) return;
    float x = ids[i / V] == i % V ? 1.0f : 0.0f;
    if (shadow) shadow[i] = to_bf16(x);
    else out[i] = x;
}
