// The rmsnorm kernel in binary32: a block of 256 threads for each row. A candidate may define VALUE, what it makes of an input.
#define THREADS 256
#ifndef VALUE
#define VALUE(x) (x)
#endif

extern "C" __global__ void __launch_bounds__(THREADS)
    rmsnorm(const float *x, const float *w, float *y, long long rows, long long columns, long long x_step, long long y_step, float eps) {
    __shared__ float part[THREADS];
    long long row = blockIdx.x;
    if (row >= rows) return;
    x += row * x_step, y += row * y_step;
    float sum = 0.0f;
    for (long long c = threadIdx.x; c < columns; c += THREADS) sum += VALUE(x[c]) * VALUE(x[c]);
    part[threadIdx.x] = sum;
    __syncthreads();
    for (unsigned width = THREADS / 2; width > 0; width /= 2) {
        if (threadIdx.x < width) part[threadIdx.x] += part[threadIdx.x + width];
        __syncthreads();
    }
    float scale = 1.0f / sqrtf(part[0] / (float)columns + eps);
    for (long long c = threadIdx.x; c < columns; c += THREADS) y[c] = VALUE(x[c]) * scale * VALUE(w[c]);
}
