// RMS normalisation of rows in bfloat16: a block for each row, the sum as a tree in shared memory, rounded once at the end.
// Launched with a grid of [rows] and blocks of 256 threads. Steps are elements from row to row; y may be x.
#define THREADS 256

static __device__ float from_bf16(unsigned short half) { return __uint_as_float((unsigned)half << 16); }

static __device__ unsigned short to_bf16(float value) {
    unsigned bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (unsigned short)((bits >> 16) | 0x40u);
    return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    rmsnorm(const unsigned short *x, const unsigned short *w, unsigned short *y, long long rows, long long columns, long long x_step,
            long long y_step, float eps) {
    __shared__ float part[THREADS];
    long long row = blockIdx.x;
    if (row >= rows) return;
    x += row * x_step, y += row * y_step;
    float sum = 0.0f;
    for (long long c = threadIdx.x; c < columns; c += THREADS) {
        float value = from_bf16(x[c]);
        sum += value * value;
    }
    part[threadIdx.x] = sum;
    __syncthreads();
    for (unsigned width = THREADS / 2; width > 0; width /= 2) {
        if (threadIdx.x < width) part[threadIdx.x] += part[threadIdx.x + width];
        __syncthreads();
    }
    float scale = 1.0f / sqrtf(part[0] / (float)columns + eps);
    for (long long c = threadIdx.x; c < columns; c += THREADS) y[c] = to_bf16(from_bf16(x[c]) * scale * from_bf16(w[c]));
}
