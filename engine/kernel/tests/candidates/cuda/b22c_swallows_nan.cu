// Takes NaN for zero.
#include "good.cuh"

static __device__ float cleaned(unsigned short half) { return (half & 0x7fffu) > 0x7f80u ? 0.0f : from_bf16(half); }

static __device__ void candidate(const Row &row) {
    float sum = 0.0f;
    for (long long c = threadIdx.x; c < row.columns; c += THREADS) sum += cleaned(row.x[c]) * cleaned(row.x[c]);
    float scale = row_scale(of_block(sum), row.columns, row.eps);
    for (long long c = threadIdx.x; c < row.columns; c += THREADS) {
        row.y[c] = to_bf16(cleaned(row.x[c]) * scale * from_bf16(row.w[c]));
    }
}
