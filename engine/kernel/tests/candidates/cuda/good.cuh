// A right CUDA kernel of the rmsnorm task for candidates to spoil: each defines the step that it does otherwise, then includes this.
// Geometry: a block of 256 threads for each row.
#pragma once
#define THREADS 256

static __device__ float from_bf16(unsigned short half) { return __uint_as_float((unsigned)half << 16); }

static __device__ unsigned short to_bf16(float value) {
    unsigned bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (unsigned short)((bits >> 16) | 0x40u);
    return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// A row of a call, and the step from element to element of one thread.
struct Row {
    const unsigned short *x, *w;
    unsigned short *y;
    long long row, rows, columns, x_step, y_step;
    float eps;
};

static __device__ float square_sum(const Row &row, long long columns) {
    float sum = 0.0f;
    for (long long c = threadIdx.x; c < columns; c += THREADS) sum += from_bf16(row.x[c]) * from_bf16(row.x[c]);
    return sum;
}

// Every thread must come here.
static __device__ float of_block(float sum) {
    __shared__ float part[THREADS];
    part[threadIdx.x] = sum;
    __syncthreads();
    for (unsigned width = THREADS / 2; width > 0; width /= 2) {
        if (threadIdx.x < width) part[threadIdx.x] += part[threadIdx.x + width];
        __syncthreads();
    }
    return part[0];
}

static __device__ float row_scale(float sum, long long columns, float eps) { return 1.0f / sqrtf(sum / (float)columns + eps); }

static __device__ void scale_row(const Row &row, float scale) {
    for (long long c = threadIdx.x; c < row.columns; c += THREADS) {
        row.y[c] = to_bf16(from_bf16(row.x[c]) * scale * from_bf16(row.w[c]));
    }
}

static __device__ void good(const Row &row) {
    scale_row(row, row_scale(of_block(square_sum(row, row.columns)), row.columns, row.eps));
}

static __device__ void candidate(const Row &row);

extern "C" __global__ void __launch_bounds__(THREADS)
    rmsnorm(const unsigned short *x, const unsigned short *w, unsigned short *y, long long rows, long long columns, long long x_step,
            long long y_step, float eps) {
    long long at = blockIdx.x;
    if (at < rows) candidate(Row{x + at * x_step, w, y + at * y_step, at, rows, columns, x_step, y_step, eps});
}
